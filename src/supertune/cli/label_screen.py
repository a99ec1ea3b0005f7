"""One row at a time on the terminal: its text, why it was chosen, and one key for each label."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from supertune.cli.keyboard import END, UNDO_KEYS, Keys
from supertune.cli.terminal import Terminal
from supertune.errors import InputError

if TYPE_CHECKING:
    from rich.text import Text

    from supertune.contracts import Input
    from supertune.labelling.proposing import Proposal
    from supertune.labelling.session import Labelling

UNDO, SKIP, MORE, QUIT, ALL = "u", "s", "m", "q", "?"
BATCH = 8  # rows chosen at a time; the next ones know of their answers
_LETTERS = "".join(each for each in "abcdefghijklmnopqrstuvwxyz" if each not in "usmq")
KEYS = "1234567890" + _LETTERS + _LETTERS.upper()
# What could move the cursor, or turn the direction of what follows.
_UNSHOWN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


def keys_of(labels: Sequence[str]) -> dict[str, str]:
    """A key for each label, digits first.

    Raises:
        InputError: ``labels_needed`` for fewer than two, ``too_many_labels``.
    """
    if len(labels) < 2:
        raise InputError(
            "labels_needed",
            "Which labels there are is not known yet.",
            received=f"labels: {', '.join(labels) or 'none'}",
            allowed="at least two labels",
            next="Name them: --labels positive,negative; or --list to see the rows alone.",
        )
    if len(labels) > len(KEYS):
        raise InputError(
            "too_many_labels",
            "There are more labels than keys.",
            received=f"{len(labels)} labels",
            allowed=f"at most {len(KEYS)}",
            next="Write the rows to a table and fill it in: -o to-label.csv.",
        )
    return dict(zip(KEYS, labels, strict=False))


@dataclass
class Screen:
    """What is drawn; ``done`` of ``count`` rows were labelled in this session."""

    terminal: Terminal
    labels: Mapping[str, str]  # by key
    count: int
    done: int = 0
    said: str = ""
    page: int = 0
    all_labels: bool = False

    def draw(self, row: Proposal, total: int) -> None:
        """The row on an empty screen, cut to it."""
        console = self.terminal.out
        width, height = shutil.get_terminal_size((80, 24))
        for line in self.lines(row, total, max(20, width - 1), max(8, height - 1)):
            console.print(line, no_wrap=True, overflow="crop", crop=True)
        self.terminal.stdout.flush()

    def clear(self) -> None:
        import os

        if os.environ.get("TERM", "") not in ("", "dumb"):
            self.terminal.stdout.write("\x1b[H\x1b[2J\x1b[3J")
        else:
            self.terminal.stdout.write("\n" + "-" * 20 + "\n")

    def lines(self, row: Proposal, total: int, width: int, height: int) -> list[Text]:
        """At most ``height`` lines, none wider than ``width`` cells."""
        from rich.text import Text

        head = f"{min(self.done + 1, self.count)} of {self.count}   {total} labelled in all"
        top = [Text(head, style="dim"), Text(self.said, style="dim")]
        for line in top:
            line.truncate(width, overflow="ellipsis")
        if self.all_labels:
            return [*top, *self._keys(width, height - 3), Text(f"{ALL} back", style="dim")]
        why = _wrapped("Why: " + "; ".join(row.why), width, 2, "dim")
        keys = self._keys(width, max(1, (height - 6) // 2))
        tail = [*why, *keys, self._controls(width)]
        text = self._text(row, width, max(1, height - len(top) - len(tail) - 1))
        return [*top, *text, Text(""), *tail][-height:] if height > 9 else [*text, *tail][:height]

    def _text(self, row: Proposal, width: int, room: int) -> list[Text]:
        """A page of the text; what does not fit is said in its last line."""
        from rich.text import Text

        whole = shown(described(row.input))
        reach = 4 * width * room * (self.page + 1)
        lines = _wrapped(whole[:reach], width, None, "bold")
        start = self.page * max(1, room - 1)
        if start >= len(lines):
            self.page, start = 0, 0
        if len(lines) - start <= room and reach >= len(whole):
            return lines[start : start + room]
        kept = lines[start : start + max(1, room - 1)]
        read = sum(len(line) + 1 for line in lines[: start + len(kept)])
        note = f"… {max(1, len(whole) - read):,} characters more: {MORE}"
        last = Text(note, style="dim")
        last.truncate(width, overflow="ellipsis")
        return [*kept, last]

    def _keys(self, width: int, room: int) -> list[Text]:
        """``1 positive  2 negative``, as many lines as needed and at most ``room``."""
        from rich.text import Text

        lines, line = [], Text("")
        for key, label in self.labels.items():
            part = Text.assemble((key, "bold cyan"), " ", shown(label).replace("\n", " "))
            part.truncate(width, overflow="ellipsis")
            if line and line.cell_len + 2 + part.cell_len > width:
                lines.append(line)
                line = Text("")
            line = Text.assemble(line, "  ", part) if line else part
        lines.append(line)
        if len(lines) > room:
            lines = [*lines[: max(0, room - 1)], Text(f"… {ALL} shows all labels", style="cyan")]
        return lines

    def _controls(self, width: int) -> Text:
        from rich.text import Text

        full = f"{UNDO} undo  {SKIP} skip  {QUIT} quit; every answer is saved"
        short = f"{UNDO} undo  {SKIP} skip  {QUIT} quit"
        found = Text(full if len(full) <= width else short, style="dim")
        found.truncate(width)
        return found


def ask(terminal: Terminal, begun: Labelling, count: int, keyboard: Keys) -> int:
    """Rows one after another until ``count`` are labelled, none is left, or the person quits;
    how many were labelled. Each answer is on the disk before the next row is drawn."""
    screen = Screen(terminal, keys_of(begun.labels), count)
    waiting: list[Proposal] = []
    while screen.done < count:
        waiting = waiting or begun.propose(min(BATCH, count - screen.done))
        if not waiting:
            break
        keyboard.forget()
        screen.clear()
        screen.draw(waiting[0], sum(begun.counts().values()))
        key = keyboard.read()
        if key in (END, QUIT, "\x04"):
            break
        if key in (UNDO, *UNDO_KEYS):
            _undo(screen, begun, waiting)
        elif key == MORE:
            screen.page += 1
        elif key == ALL:
            screen.all_labels = not screen.all_labels
        elif key in screen.labels or key in (SKIP, " "):
            row, label = waiting.pop(0), screen.labels.get(key)
            begun.answer(row, label)
            screen.done += label is not None
            screen.said = f"last: {label or 'skipped'}"
            screen.page, screen.all_labels = 0, False
        else:
            screen.said = "no such key"
    return screen.done


def _undo(screen: Screen, begun: Labelling, waiting: list[Proposal]) -> None:
    taken = begun.undo()
    if taken is None:
        screen.said = "nothing to undo"
        return
    answer, row = taken
    screen.said = f"took back: {answer.label or 'skipped'}"
    screen.done -= answer.label is not None and screen.done > 0
    screen.page = 0
    if row is not None:
        waiting.insert(0, row)


def described(value: Input) -> str:
    """An input in words: a text itself, of a picture its name and size."""
    from supertune import registry
    from supertune.contracts import modality_of

    return registry.modality(modality_of([value])).described(value)


def shown(value: object) -> str:
    """A text as it may be printed: one line break at a time, nothing that steers a terminal."""
    whole = value if isinstance(value, str) else "\n".join(map(str, _parts(value)))
    plain = _UNSHOWN.sub("", whole.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    "))
    return re.sub(r"\n\s*\n+", "\n", plain).strip()


def _parts(value: object) -> Sequence[object]:
    return value if isinstance(value, tuple | list) else [value]


def _wrapped(text: str, width: int, most: int | None, style: str) -> list[Text]:
    """Lines of at most ``width`` cells; the last of ``most`` ends in … where more follows."""
    from rich.console import Console
    from rich.text import Text

    lines = list(Text(text, style=style).wrap(Console(width=width), width, overflow="fold"))
    if most is not None and len(lines) > most:
        lines = lines[:most]
        lines[-1].truncate(max(1, width - 1))
        lines[-1].append("…")
    return lines
