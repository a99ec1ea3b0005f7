"""One key at a time, without Enter and without showing it; as it was before once that is over."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

END = ""  # the terminal has gone
UNDO_KEYS = ("\x7f", "\x08")  # what Backspace sends


class Keys:
    """``read()`` waits for a key and gives its character, ``"\\x1b"`` of arrows and the like.

    ``forget()`` drops what was pressed before: nobody answers a row that was not shown yet.
    """

    def __init__(self, read: Callable[[], str], forget: Callable[[], None]) -> None:
        self.read = read
        self.forget = forget


@contextmanager
def keys() -> Iterator[Keys]:
    """The keyboard of the terminal on standard input."""
    if os.name == "nt":
        yield _windows()
        return
    import termios
    import tty

    handle = sys.stdin.fileno()
    before = termios.tcgetattr(handle)
    try:
        tty.setcbreak(handle)  # Ctrl-C still interrupts
        yield Keys(lambda: _character(handle), lambda: termios.tcflush(handle, termios.TCIFLUSH))
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)


def _character(handle: int) -> str:
    """One character, of however many bytes; a key that sends a sequence gives ``"\\x1b"``."""
    try:
        found = os.read(handle, 1)
        if found == b"\x1b":
            _rest(handle)
            return "\x1b"
        while found and len(found) < 4:
            try:
                return found.decode("utf-8")
            except UnicodeDecodeError:
                found += os.read(handle, 1)
    except OSError:  # hung up
        return END
    return found.decode("utf-8", "replace")


def _rest(handle: int) -> None:
    """Whatever else a key sent beside its escape."""
    import select

    while select.select([handle], [], [], 0.02)[0] and os.read(handle, 1):
        pass


def _windows() -> Keys:
    import importlib

    console: Any = importlib.import_module("msvcrt")

    def read() -> str:
        found = str(console.getwch())
        if found in ("\x00", "\xe0"):  # an arrow or a function key: its second half
            console.getwch()
            return "\x1b"
        if found == "\x03":
            raise KeyboardInterrupt
        return found

    def forget() -> None:
        while console.kbhit():
            console.getwch()

    return Keys(read, forget)
