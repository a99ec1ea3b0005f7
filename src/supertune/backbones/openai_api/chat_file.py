"""Labelled rows as the file that a fine-tuning job learns from: one chat a line, in JSON.

A row is shown as it will be asked about (`words.messages`), and its word is what the assistant
says. Everything is checked before a byte is sent, since a server says of a bad line its number at
best, and that after minutes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from supertune.backbones.openai_api import words
from supertune.backbones.openai_api.counting import Rate, units
from supertune.backbones.openai_api.texts import Text
from supertune.contracts import JobAsked
from supertune.errors import InputError

LEAST = 10  # rows, with fewer the API refuses a job
LONGEST = 65_536  # tokens of a line
LARGEST = 512 * 2**20  # bytes
CLOSING = 2  # tokens behind what the assistant says, which a chat that asks ends without
AROUND = 64  # tokens that a server puts around the three messages of a line, at most
SHOWN = 5  # mistakes that an error names

ROLES = ("system", "user", "assistant")
SEEN, EPOCHS, MOST_EPOCHS = 100, 3, 25  # rows that are to be seen at least; how often each


@dataclass(frozen=True)
class ChatFile:
    """Attributes:
    rows: of each line, the number of its row in the source.
    tokens: once over, as estimated; ``most`` is an upper bound.
    """

    data: bytes
    rows: tuple[int, ...]
    tokens: int
    most: int

    def __len__(self) -> int:
        return len(self.rows)


def epochs_for(rows: int) -> int:
    """How often each of so many rows is seen where nobody says: more often where they are few."""
    return max(EPOCHS, min(MOST_EPOCHS, -(-SEEN // max(1, rows))))


def written(
    asked: JobAsked,
    texts: Sequence[Text],
    places: Sequence[int],
    rate: Rate,
    what: str = "training",
) -> ChatFile:
    """The rows at ``places``; ``texts`` are all of them as they are read, cut where they are long.

    Raises:
        InputError: ``rows_not_trainable``, with row and column.
    """
    lines, wrong, counted, most = [], [], 0.0, 0
    for place in places:
        text, answer, row = texts[place], asked.answers[place], asked.rows[place]
        said = [str(one["content"]) for one in words.messages(asked.prompt, text.fields)]
        said.append(answer.strip())
        wrong += _mistakes(asked, text, said, row, rate)
        chat = [{"role": role, "content": one} for role, one in zip(ROLES, said, strict=True)]
        lines.append(json.dumps({"messages": chat}))
        counted += sum(map(units, said))
        most += sum(len(one.encode()) for one in said) + AROUND
    if what == "training" and len(lines) < LEAST:
        wrong.insert(0, f"{len(lines)} rows to learn from, of which {LEAST} are needed")
    data = "".join(f"{line}\n" for line in lines).encode()
    if len(data) > LARGEST:
        wrong.append(f"a file of {len(data):,} bytes, of which {LARGEST:,} are allowed")
    if wrong:
        raise _refused(wrong)
    checked(data)
    rows = tuple(asked.rows[place] for place in places)
    tokens = rate.tokens(counted, len(lines)) + CLOSING * len(lines)
    return ChatFile(data, rows, tokens, most)


def _mistakes(asked: JobAsked, text: Text, said: Sequence[str], row: int, rate: Rate) -> list[str]:
    names = asked.fields if len(asked.fields) == len(text.fields) else ()
    found = []
    if not any(one.strip() for one in text.fields):
        found.append(f"row {row}, {_columns(names)}: no text")
    if not said[-1]:
        found.append(f"row {row}, label: no word to answer with")
    if (tokens := rate.tokens(sum(map(units, said)))) > LONGEST:
        long = max(range(len(text.fields)), key=lambda i: len(text.fields[i]))
        named = names[long : long + 1]
        found.append(f"row {row}, {_columns(named)}: about {tokens:,} tokens, of {LONGEST:,}")
    return found


def _columns(names: Sequence[str]) -> str:
    return f"column {' and '.join(map(repr, names))}" if names else "text"


def _refused(wrong: Sequence[str]) -> InputError:
    more = f"; {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    return InputError(
        "rows_not_trainable",
        "A fine-tuning job cannot learn from these rows; nothing was uploaded.",
        received="; ".join(wrong[:SHOWN]) + more,
        allowed=f"{LEAST} rows or more, each with a text and a word for its label, of {LONGEST:,} "
        "tokens at most",
        next="Correct these rows, or label more; --set max_length=256 cuts long texts.",
    )


def checked(data: bytes) -> int:
    """How many lines a file has, each of which is a chat as a job wants it.

    Raises:
        ValueError: the first line that is none, by its number.
    """
    count = 0
    for number, line in enumerate(data.decode("utf-8").rstrip("\n").split("\n"), 1):
        held = json.loads(line)
        chat = held.get("messages") if isinstance(held, dict) else None
        roles = [one.get("role") for one in chat] if isinstance(chat, list) else []
        whole = roles == list(ROLES) and all(
            isinstance(one.get("content"), str) and one["content"].strip() for one in chat or ()
        )
        if not whole:
            raise ValueError(f"line {number} is no chat of {', '.join(ROLES)}")
        count += 1
    return count


def named_rows(said: str, file: ChatFile) -> str:
    """Which rows a server means that speaks of lines of a file; nothing where it does not."""
    numbers = [int(one) for one in re.findall(r"(?i)\b(?:lines?|examples?)\s+#?(\d+)", said)]
    rows = [str(file.rows[number - 1]) for number in numbers if 1 <= number <= len(file)]
    return f" (row {', '.join(rows)} of the source)" if rows else ""
