"""Bytes become lines of text: byte-order mark, strict UTF-8, else a guess that is told.

Nothing is replaced or skipped: a byte that does not fit is an error that says where it is. What
comes before the first byte outside ASCII reads the same in every encoding but UTF-16 and UTF-32,
so the question is put off until such a byte is there to judge by.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from supertune.errors import InputError

MAX_LINE = 16_000_000  # characters
_SAMPLE = 1 << 16  # bytes
# Tried in this order where charset-normalizer finds several equally likely.
_ENCODINGS: tuple[str, ...] = ("gb18030", "cp1252", "big5", "shift_jis", "euc_jp", "euc_kr")
_ENCODINGS += ("cp1251", "koi8_r", "cp1250", "cp1253", "cp1254", "cp1255", "cp1256")
_EAST_ASIAN = ("gb18030", "big5", "shift_jis", "euc_jp", "euc_kr")
_WESTERN = ("cp1252", "cp1250", "cp1254")
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
        if len(chunk) < 16:
            return chunk
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
        guess = guessed(sample)
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
    rest: list[str] = []
    size, count = 0, 0
    for text in texts:
        if "\n" not in text and "\r" not in text:
            rest.append(text)  # joined once, or a long line would be copied again and again
            size += len(text)
        else:
            found = io.StringIO("".join(rest) + text, newline="").readlines()
            # The last one may go on in the next piece; "\r" may be half of "\r\n".
            rest = [] if found[-1].endswith("\n") else [found.pop()]
            size = sum(map(len, rest))
            yield from found
            count += len(found)
        if size > MAX_LINE:
            raise LongLineError(count + 1, "".join(rest))
    if size:
        yield from io.StringIO("".join(rest), newline="").readlines()


def decoded(data: bytes, source: str) -> tuple[str, list[str]]:
    """A whole file's text, and what had to be guessed."""
    decoding = Decoding(source)
    return "".join(decoding.texts([data])), decoding.notes


def guessed(sample: bytes) -> str | None:
    """The likeliest encoding that is not UTF-8, or None where none is likely."""
    from charset_normalizer import from_bytes

    # Lines in ASCII tell nothing, and would water down what the others tell.
    telling = [line for line in sample.splitlines(keepends=True) if not line.isascii()]
    sample = b"".join(telling)[:_SAMPLE]
    matches = from_bytes(sample, cp_isolation=list(_ENCODINGS), enable_fallback=False)
    best = min((match.chaos for match in matches), default=1.0)
    if best > 0.15:
        return None
    likely = {
        name: match.coherence
        for match in reversed(list(matches))
        if match.chaos <= best + 0.03
        for name in (match.encoding, *match.could_be_from_charset)
        if name in _ENCODINGS and _plausible(sample, name)
    }
    # A likeness to some language counts, but not a trifle: cp1252 is the commoner by far.
    least = max(likely.values(), default=0.0) - 0.1
    return next((name for name in _ENCODINGS if likely.get(name, -1.0) >= least), None)


def _plausible(sample: bytes, encoding: str) -> bool:
    text = sample.decode(encoding, "replace")
    foreign = sum(not char.isascii() for char in text)
    if encoding in _WESTERN:
        return 4 * _traces(text, encoding) <= foreign
    if foreign < (2 if encoding in _EAST_ASIAN else 6):
        return False  # nothing to judge by
    # An accented letter, and perhaps its neighbour, read in the encoding of another script make
    # a lone character inside a Latin word.
    runs: list[str] = re.findall(r"[A-Za-z]?[^\x00-\x7f]+", text)
    lone = sum(run[0].isascii() and len(run) < 4 for run in runs)
    return 2 * lone <= len(runs)


def _traces(text: str, encoding: str) -> int:
    """What damaged UTF-8 leaves: ÿ, þ, and Ã or Â outside a word in capitals."""
    never = (b"\xff" if encoding == "cp1254" else b"\xff\xfe").decode(encoding)  # its ş is common
    capital = b"\xc2\xc3".decode(encoding)
    return sum(
        char in never
        or char == "\N{REPLACEMENT CHARACTER}"
        or (char in capital and not (text[max(0, at - 1) : at] + text[at + 1 : at + 2]).isupper())
        for at, char in enumerate(text)
    )


def _mostly_utf8(sample: bytes, *, whole: bool) -> bool:
    """Whether the bytes outside ASCII are whole UTF-8 characters more often than not."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    # Without its end: a sample may be cut in the middle of a character, as may a file.
    text = decoder.decode(sample)
    broken = len(re.findall("[\udc80-\udcff]", text))
    sound = sum(not char.isascii() for char in text) - broken
    return sound > broken or (sound == broken == 0 and not whole)


def _lines(data: bytes, encoding: str | None) -> int:
    if encoding in _WIDE:
        return data.decode(encoding, "replace").count("\n")
    return data.count(b"\n")


def _with(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
