"""Text as phonemes of the International Phonetic Alphabet, by the program espeak-ng.

It is run once a clause, reading the text from its input, and nothing of the text is on its command
line. Marks between clauses are kept, as voices pause by them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import unicodedata
from functools import lru_cache

from supertune.errors import EnvironmentFault, InputError

PROGRAM = "espeak-ng"
WAIT = 60  # seconds for one clause
_MARKS = {"。": ".", "！": "!", "？": "?", "，": ",", "、": ",", "；": ";", "：": ":", "…": "."}
_CLAUSE = re.compile(r"([^.,;:!?]|[.,;:!?](?=\S))+|[.,;:!?]+")
_FLAG = re.compile(r"\([a-z-]+\)")  # espeak-ng says so where a word is of another language


@lru_cache(maxsize=4096)
def of(text: str, voice: str) -> str:
    """IPA with marks of punctuation, decomposed (NFD); empty where there is nothing to say.

    Raises:
        EnvironmentFault: ``phonemizer_missing``, ``phonemizer_failed``.
        InputError: ``unknown_language``.
    """
    plain = "".join(_MARKS.get(sign, sign) for sign in text)
    found: list[str] = []
    for part in _CLAUSE.finditer(plain):
        clause = part[0].strip()
        if re.search(r"\w", clause):
            found.append((" " if found else "") + _asked(clause, voice))
        elif found and clause:
            found.append(clause[0])
    return unicodedata.normalize("NFD", "".join(found)).strip()


def _asked(clause: str, voice: str) -> str:
    program = shutil.which(PROGRAM)
    if program is None:
        raise missing()
    command = [program, "-q", "--ipa", "-v", voice, "--stdin"]
    try:
        # A NUL, or half of a surrogate pair, cannot be said.
        given = clause.encode("utf-8", "ignore").replace(b"\0", b" ")
        done = subprocess.run(command, input=given, capture_output=True, timeout=WAIT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed(str(error)) from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace")
        if "voice" in said:
            raise InputError(
                "unknown_language",
                f"{PROGRAM} has no voice '{voice}'.",
                received=voice,
                allowed=f"those that `{PROGRAM} --voices` lists",
                next="Choose another voice model.",
            )
        raise _failed(said)
    spoken = done.stdout.decode("utf-8", "replace").replace("\u200d", "")
    return " ".join(_FLAG.sub("", spoken).split())


def missing() -> EnvironmentFault:
    """The error where the program is not there, with the command that installs it."""
    command = {"darwin": "brew install espeak-ng", "win32": "winget install eSpeak-NG.eSpeak-NG"}
    return EnvironmentFault(
        "phonemizer_missing",
        f"The program {PROGRAM}, which says how words are pronounced, is not installed.",
        received=f"no {PROGRAM} on the path",
        allowed=f"{PROGRAM} 1.49 or later",
        next=command.get(sys.platform, "sudo apt-get install espeak-ng"),
    )


def _failed(received: str) -> EnvironmentFault:
    return EnvironmentFault(
        "phonemizer_failed",
        f"{PROGRAM} did not say how the text is pronounced.",
        received=" ".join(received.split())[:200] or "no answer",
        next=f'Try `{PROGRAM} -q --ipa "Good morning"` by itself.',
    )
