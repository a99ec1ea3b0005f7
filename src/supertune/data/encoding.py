"""Bytes become lines of text: byte-order mark, strict UTF-8, else a guess that is told.

Nothing is replaced or skipped: a byte that does not fit is an error that says where it is. What
comes before the first byte outside ASCII reads the same in every encoding but UTF-16 and UTF-32,
so the question is put off until such a byte is there to judge by.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from supertune.errors import InputError

MAX_LINE = 16_000_000  # characters
_SAMPLE = 1 << 16  # bytes
# Tried in this order where charset-normalizer finds several equally likely.
_ENCODINGS: tuple[str, ...] = ("gb18030", "cp1252", "big5", "shift_jis", "euc_jp", "euc_kr")
_ENCODINGS += ("cp1251", "koi8_r", "cp1250", "cp1253", "cp1254", "cp1255", "cp1256")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDE = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")


class LongLineError(Exception):
    """A line passed `MAX_LINE`; ``start`` is what was read of it, ``line`` its number."""

    def __init__(self, line: int, start: str) -> None:
        super().__init__(f"line {line}")
        self.line, self.start = line, start


@dataclass
class Decoding:
    """A source's encoding as it becomes known, and where in the bytes we are."""

    source: str
    encoding: str | None = None
    notes: list[str] = field(default_factory=list)
    bytes_before: int = 0
    lines_before: int = 0

    def texts(self, chunks: Iterable[bytes]) -> Iterator[str]:
        """The chunks decoded one by one.

        Raises:
            InputError: ``broken_encoding``, ``nul_byte``.
        """
        pending = iter(chunks)
        first = next(pending, b"")
        first = self._marked(first)
        decoder = codecs.getincrementaldecoder(self.encoding or "ascii")()
        for chunk in _with(first, pending):
            if self.encoding is None and not chunk.isascii():
                second = next(pending, b"")
                chunk += second
                self.encoding = self._judged(chunk, whole=not second)
                decoder = codecs.getincrementaldecoder(self.encoding)()
            yield self._decoded(decoder, chunk, final=False)
        yield self._decoded(decoder, b"", final=True)

    def _marked(self, chunk: bytes) -> bytes:
        """Takes the byte-order mark off, and sees UTF-16 without one."""
        for mark, name in _MARKS:
            # Real UTF-16 has NUL bytes, in its line breaks if nowhere else.
            if chunk.startswith(mark) and (name == "utf-8" or b"\0" in chunk):
                self.encoding = name
                self.bytes_before = len(mark)
                return chunk[len(mark) :]
        share = {start: chunk[start::2].count(0) / max(1, len(chunk) // 2) for start in (0, 1)}
        for start, name in ((1, "utf-16-le"), (0, "utf-16-be")):
            if share[start] > 0.3 and share[1 - start] < 0.02:
                self.encoding = name
        if self.encoding:
            self.notes.append(f"{self.source} was read as {self.encoding}, without a mark.")
        return chunk

    def _judged(self, sample: bytes, *, whole: bool) -> str:
        if _mostly_utf8(sample, whole=whole):
            return "utf-8"
        first = next(at for at, value in enumerate(sample) if value > 0x7F)
        start = max(0, first - 1000)
        guess = guessed(sample[start : start + _SAMPLE])
        if guess is None:
            return "utf-8"  # and its error says where
        self.notes.append(f"{self.source} is not UTF-8; it was read as {guess}, which is a guess.")
        return guess

    def _decoded(self, decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool) -> str:
        held = decoder.getstate()[0]
        try:
            text = decoder.decode(chunk, final)
        except UnicodeDecodeError as error:
            self.bytes_before -= len(held)
            raise self._broken(held + chunk, error) from None
        if "\0" in text:
            raise self._nul(text)
        self.bytes_before += len(chunk)
        self.lines_before += text.count("\n")
        return text

    def _broken(self, data: bytes, error: UnicodeDecodeError) -> InputError:
        encoding = (self.encoding or "utf-8").upper()
        broken = data[error.start : max(error.end, error.start + 1)]
        line = self.lines_before + _lines(data[: error.start], self.encoding) + 1
        byte = self.bytes_before + error.start + 1
        shown = " ".join(f"{value:#04x}" for value in broken[:4])
        return InputError(
            "broken_encoding",
            f"{self.source} is {encoding} with a broken character.",
            received=f"line {line}, byte {byte}: {shown}",
            allowed="UTF-8 throughout, or one other encoding throughout",
            next="Correct that character, or save the file again as UTF-8 "
            "(`iconv -f ENCODING -t UTF-8`).",
        )

    def _nul(self, text: str) -> InputError:
        place = text.index("\0")
        return InputError(
            "nul_byte",
            f"{self.source} has a NUL byte, which no text has.",
            received=f"line {self.lines_before + text.count(chr(10), 0, place) + 1}: NUL (0x00)",
            allowed="text",
            next="Write the file again from its origin; "
            r"`tr -d '\000' < FILE > NEW` removes NUL bytes.",
        )


def lines(texts: Iterable[str]) -> Iterator[str]:
    r"""Lines with their ends (``\n``, ``\r\n`` or ``\r``), whatever the pieces they came in.

    Raises:
        LongLineError: when a line passes `MAX_LINE`; no more than that is held.
    """
    rest, count = "", 0
    for text in texts:
        found = io.StringIO(rest + text, newline="").readlines()
        rest = ""
        # The last one may go on in the next piece; "\r" may be half of "\r\n".
        if found and not found[-1].endswith("\n"):
            rest = found.pop()
        yield from found
        count += len(found)
        if len(rest) > MAX_LINE:
            raise LongLineError(count + 1, rest)
    if rest:
        yield rest


def decoded(data: bytes, source: str) -> tuple[str, list[str]]:
    """A whole file's text, and what had to be guessed."""
    decoding = Decoding(source)
    return "".join(decoding.texts([data])), decoding.notes


def guessed(sample: bytes) -> str | None:
    """The likeliest encoding that is not UTF-8, or None where none is likely."""
    from charset_normalizer import from_bytes

    matches = from_bytes(sample, cp_isolation=list(_ENCODINGS), enable_fallback=False)
    best = min((match.chaos for match in matches), default=1.0)
    if best > 0.15:
        return None
    names = {
        name
        for match in matches
        if match.chaos <= best + 0.02
        for name in (match.encoding, *match.could_be_from_charset)
    }
    chosen = next((name for name in _ENCODINGS if name in names), None)
    if chosen in ("cp1252", "cp1250", "cp1254") and not _western(sample.decode(chosen, "replace")):
        return None
    return chosen


def _western(text: str) -> bool:
    """Not the traces of damaged UTF-8: ÿ, þ, or an Ã and Â outside a word in capitals."""
    if any(char in text for char in "\N{REPLACEMENT CHARACTER}ÿþ"):
        return False
    return not any(
        char in "ÃÂ" and not (text[max(0, at - 1) : at] + text[at + 1 : at + 2]).isupper()
        for at, char in enumerate(text)
    )


def _mostly_utf8(sample: bytes, *, whole: bool) -> bool:
    """Whether the bytes outside ASCII are whole UTF-8 characters more often than not."""
    # A sample that is not the whole may end in the middle of a character.
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    text = decoder.decode(sample, whole)
    broken = sum("\ud800" <= char <= "\udfff" for char in text)
    return broken == 0 or sum(char > "\x7f" for char in text) > 2 * broken


def _lines(data: bytes, encoding: str | None) -> int:
    if encoding in _WIDE:
        return data.decode(encoding, "replace").count("\n")
    return data.count(b"\n")


def _with(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
