"""TMX, XLIFF, PO and two text files side by side, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from supertune.data.pairs import formats
from supertune.errors import InputError

TMX = """<?xml version="1.0"?><!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4"><header srclang="en"/><body>
<tu><tuv xml:lang="pt"><seg>Salvar <ph>%s</ph></seg></tuv>
<tuv xml:lang="en"><seg>Save <ph>%s</ph></seg></tuv></tu>
<tu><tuv xml:lang="en"><seg>Open</seg></tuv></tu></body></tmx>"""
XLIFF = """<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2"><file><body>
<trans-unit id="1"><source>Save</source><target>Salvar</target></trans-unit>
<trans-unit id="2"><source>Open</source></trans-unit></body></file></xliff>"""
PO = r"""# header
msgid ""
msgstr "Language: pt\n"

#, c-format
msgid "Copied %d file"
msgid_plural "Copied %d files"
msgstr[0] "%d arquivo copiado"
msgstr[1] "%d arquivos copiados"

#, fuzzy
msgid "Open"
msgstr "Abra"

msgid "A long "
"line\n"
msgstr "Uma linha "
"longa\n"
"""


def written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def rows(path: Path) -> list[tuple[str | None, str | None]]:
    table = formats.table(path)
    assert table is not None
    return list(zip(table.values["source"], table.values["target"], strict=True))


def test_tmx_takes_its_source_language_from_the_header(tmp_path: Path) -> None:
    assert rows(written(tmp_path, "a.tmx", TMX)) == [("Save %s", "Salvar %s"), ("Open", None)]


def test_xliff_has_empty_cells_where_nothing_is_translated(tmp_path: Path) -> None:
    assert rows(written(tmp_path, "a.xlf", XLIFF)) == [("Save", "Salvar"), ("Open", None)]


def test_po_knows_plurals_fuzzy_entries_and_lines_that_go_on(tmp_path: Path) -> None:
    assert rows(written(tmp_path, "a.po", PO)) == [
        ("Copied %d file", "%d arquivo copiado"),
        ("Copied %d files", "%d arquivos copiados"),
        ("Open", None),
        ("A long line\n", "Uma linha longa\n"),
    ]


def test_two_text_files_are_pairs_by_their_language_codes_alone(tmp_path: Path) -> None:
    path = written(tmp_path, "talk.en", "Save\nOpen\n")
    written(tmp_path, "talk.pt_BR", "Salvar\nAbrir\n")
    assert rows(path) == [("Save", "Salvar"), ("Open", "Abrir")]
    other = written(tmp_path, "rows.csv", "a,b\n")
    written(tmp_path, "rows.txt", "a\n")
    assert formats.table(other) is None
    assert formats.table(["a text"]) is None


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("a.tmx", TMX.replace("</tmx>", ""), "file_damaged"),
        ("b.tmx", TMX.replace('"pt"', '"en"'), "two_languages_wanted"),
        ("c.tmx", TMX.replace('tmx14.dtd">', 'x" [<!ENTITY a "b">]>'), "file_damaged"),
        ("d.xlf", "<xliff/>", "no_pairs"),
        ("e.po", 'msgid "unclosed\nmsgstr "x"\n', "no_pairs"),
        ("f.po", 'msgid "a" "b\nmsgid "x\\q"x"\nmsgstr "\\xZZ"\n', "file_damaged"),
    ],
)
def test_damaged_files_are_refused_by_name(tmp_path: Path, name: str, text: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        formats.table(written(tmp_path, name, text))
    assert caught.value.code == code
    assert caught.value.next


def test_files_of_unequal_length_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "talk.en", "Save\nOpen\n")
    written(tmp_path, "talk.pt", "Salvar\n")
    with pytest.raises(InputError, match="as many lines") as caught:
        formats.table(path)
    assert caught.value.code == "lines_differ"
