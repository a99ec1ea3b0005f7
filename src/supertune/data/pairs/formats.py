"""Files of translations as tables with the columns ``source``, ``target`` and ``file``: TMX, XLIFF,
PO, and two text files that lie side by side (``talk.en``, ``talk.pt``).

What has no translation, or a fuzzy one, has an empty cell.
"""

from __future__ import annotations

import ast
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from supertune.data import files
from supertune.data.cells import counted, listed
from supertune.data.encoding import Decoding
from supertune.data.table import Table
from supertune.errors import InputError

SOURCE, TARGET = "source", "target"
_CODES = (
    "en pt es fr de it nl sv da no nb nn fi pl cs sk sl hr sr bs bg ro hu el tr ru uk be lt lv et "
    "ga cy mt is sq mk ar he fa hi bn ta te ur th vi id ms tl ja ko zh ca eu gl af sw ka hy az kk "
    "uz mn"
)
_LANGUAGE = re.compile(rf"\.((?:{'|'.join(_CODES.split())})(?:[_-][A-Za-z]{{2,8}})?)$")
_LARGEST = 200_000_000  # bytes of a file that is parsed whole
Pairs = Iterator[tuple[str, str]]


def table(source: object) -> Table | None:
    """The rows of such a file; None where it is none.

    Raises:
        InputError: ``file_damaged``, ``file_too_large``, ``lines_differ``, ``no_pairs``,
            ``two_languages_wanted``.
    """
    if not isinstance(source, str | Path) or str(source) == "-":
        return None
    path = Path(source)
    reader = _READERS.get(path.suffix.lower())
    other = None if reader is not None else beside(path)
    if reader is None and other is None:
        return None
    path = files.checked(path)
    if other is not None:
        found = list(_parallel(path, other))
    else:
        assert reader is not None
        if path.stat().st_size > _LARGEST:
            raise InputError(
                "file_too_large",
                f"{path.name} is too large to be read whole.",
                received=f"{path.stat().st_size / 1e6:.0f} MB",
                allowed=f"{_LARGEST / 1e6:.0f} MB, or jsonl, csv and parquet of any size",
                next="Convert it to jsonl with the keys source and target.",
            )
        try:
            found = list(reader(path))
        except InputError:
            raise
        except (ET.ParseError, UnicodeDecodeError, SyntaxError, ValueError) as error:
            raise InputError(
                "file_damaged",
                f"{path.name} cannot be read as {path.suffix[1:].upper()}.",
                received=str(error).splitlines()[0][:200],
                allowed="TMX 1.4, XLIFF 1.2 and 2, gettext PO",
                next="Export it once more from the program that wrote it.",
            ) from error
    if not found:
        raise InputError(
            "no_pairs",
            f"{path.name} holds no text.",
            received=counted(0, "pair"),
            allowed="texts with their translations",
            next="Look whether it is the file that you mean.",
        )
    cells = {SOURCE: [one or None for one, _ in found], TARGET: [two or None for _, two in found]}
    return Table(cells, np.arange(1, len(found) + 1), path.name)


def beside(path: Path) -> Path | None:
    """The only file of the same name in another language; None where there is none or several."""
    mark = _LANGUAGE.search(path.name)
    if mark is None or not path.is_file():
        return None
    stem = path.name[: mark.start()]
    others = [one for one in sorted(path.parent.iterdir())
              if one != path and (other := _LANGUAGE.search(one.name))
              and one.name[: other.start()] == stem]  # fmt: skip
    return others[0] if len(others) == 1 else None


def _text(path: Path) -> str:
    return "".join(Decoding(path.name).texts(iter([path.read_bytes()])))


def _parallel(path: Path, other: Path) -> Pairs:
    sides = [_text(one).splitlines() for one in (path, other)]
    if len(sides[0]) != len(sides[1]):
        raise InputError(
            "lines_differ",
            f"{path.name} and {other.name} do not have as many lines.",
            received=f"{len(sides[0]):,} and {len(sides[1]):,} lines",
            allowed="line n of one is the translation of line n of the other",
            next="Align them, or give a csv file with the columns source and target.",
        )
    yield from ((a.strip(), b.strip()) for a, b in zip(*sides, strict=True))


# --- XML --------------------------------------------------------------------------------------


def _root(path: Path) -> ET.Element:
    data = path.read_bytes()
    if any("<!ENTITY".encode(one) in data for one in ("utf-8", "utf-16-le", "utf-16-be")):
        raise ValueError("it declares entities of its own, which are not read")
    return ET.fromstring(data)


def _name(element: ET.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _inner(element: ET.Element) -> str:
    """The text of a segment; what stands in its tags for a program is kept."""
    return "".join(element.itertext()).strip()


def _tmx(path: Path) -> Pairs:
    root = _root(path)
    header = next((one for one in root if _name(one) == "header"), None)
    first = "" if header is None else str(header.get("srclang") or "").casefold()
    languages: dict[str, None] = {}
    units: list[dict[str, str]] = []
    for unit in (one for one in root.iter() if _name(one) == "tu"):
        held: dict[str, str] = {}
        for variant in (one for one in unit if _name(one) == "tuv"):
            code = next((v for k, v in variant.attrib.items() if k.rpartition("}")[2] == "lang"),
                        "").casefold()  # fmt: skip
            segment = next((one for one in variant if _name(one) == "seg"), None)
            if segment is not None:
                held[code] = _inner(segment)
                languages.setdefault(code)
        units.append(held)
    if len(languages) != 2:
        raise InputError(
            "two_languages_wanted",
            f"{path.name} holds texts in {counted(len(languages), 'language')}.",
            received=listed(list(languages)) or "none",
            allowed="two languages",
            next="Export one pair of languages.",
        )
    codes = list(languages)
    source = next((code for code in codes if code == first), codes[0])
    (target,) = (code for code in codes if code != source)
    yield from ((one.get(source, ""), one.get(target, "")) for one in units)


def _xliff(path: Path) -> Pairs:
    for unit in _root(path).iter():
        if _name(unit) in ("trans-unit", "segment"):
            parts = {_name(one): _inner(one) for one in unit}
            yield parts.get("source", ""), parts.get("target", "")


# --- PO ---------------------------------------------------------------------------------------


def _po(path: Path) -> Pairs:
    """Entries of gettext; of plurals the first two forms. A header and what is obsolete are left
    out."""
    held: dict[str, str] = {}
    key, fuzzy = "", False
    for line in [*_text(path).splitlines(), ""]:
        line = line.strip()
        if line.startswith("#"):
            fuzzy = fuzzy or (line.startswith("#,") and "fuzzy" in line)
            continue
        named = re.match(r"(msgctxt|msgid_plural|msgid|msgstr(?:\[\d+\])?)\s+(\".*\")$", line)
        if named:
            if (
                named[1] == "msgid"
                and "msgid" in held
                and any(k.startswith("msgstr") for k in held)
            ):
                yield from _entries(held, fuzzy)
                held, fuzzy = {}, False
            key, quoted = named[1], named[2]
            held[key] = _unquoted(quoted)
        elif line.startswith('"') and key:
            held[key] += _unquoted(line)
        elif not line and held:
            yield from _entries(held, fuzzy)
            held, key, fuzzy = {}, "", False


def _entries(held: dict[str, str], fuzzy: bool) -> Pairs:
    source = held.get("msgid", "")
    if not source:
        return
    yield source, "" if fuzzy else held.get("msgstr", held.get("msgstr[0]", ""))
    if "msgid_plural" in held:
        yield held["msgid_plural"], "" if fuzzy else held.get("msgstr[1]", "")


def _unquoted(text: str) -> str:
    value = ast.literal_eval(text)
    if not isinstance(value, str):
        raise ValueError(f"no text: {text[:40]}")
    return value


_READERS: dict[str, Callable[[Path], Pairs]] = {
    ".tmx": _tmx,
    ".xlf": _xliff,
    ".xliff": _xliff,
    ".po": _po,
    ".pot": _po,
}
