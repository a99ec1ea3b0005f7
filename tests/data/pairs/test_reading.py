"""Texts and translations from tables: columns, sides, and what a person should know of them."""

from __future__ import annotations

from typing import Any

import pytest

from supertune.contracts import Columns, Examples
from supertune.data.pairs import reading
from supertune.errors import InputError

PAIRS = [
    ("Open the settings of your computer.", "Abra as configurações do seu computador."),
    ("Close the window and save your work.", "Feche a janela e salve o seu trabalho."),
    ("The battery of this laptop is almost empty.", "A bateria deste laptop está quase vazia."),
    ("Press the button for a few seconds.", "Pressione o botão por alguns segundos."),
]


def table(pairs: list[tuple[Any, Any]] = PAIRS, **more: list[Any]) -> list[dict[str, Any]]:
    names = {name: iter(cells) for name, cells in more.items()}
    return [{"source": a, "target": b, **{name: next(cells) for name, cells in names.items()}}
            for a, b in pairs]  # fmt: skip


def targets(examples: Examples) -> list[str]:
    assert examples.targets is not None
    return [str(text) for text in examples.targets]


@pytest.mark.parametrize(
    "source",
    [
        table(),
        PAIRS,
        [{"translation": {"en": a, "pt": b}} for a, b in PAIRS],
        [{"id": str(i), "en": a, "pt": b} for i, (a, b) in enumerate(PAIRS)],
    ],
)
def test_columns_are_found_by_name_or_by_place(source: Any) -> None:
    found = reading.learned(source, Columns())
    assert list(found.train.inputs) == [a for a, _ in PAIRS]
    assert targets(found.train) == [b for _, b in PAIRS]
    assert not found.findings


def test_a_test_column_and_documents_keep_apart_what_belongs_together() -> None:
    found = reading.learned(
        table(split=["train", "train", "train", "test"], page=["a", "a", "b", "c"]), Columns()
    )
    assert len(found.train) == 3
    assert found.test is not None
    assert list(found.test.inputs) == [PAIRS[3][0]]
    assert found.train.groups is not None
    assert found.train.groups[0] == found.train.groups[1] != found.train.groups[2]


@pytest.mark.parametrize(
    ("pair", "code"),
    [
        (("Save all of the files now.", "Save all of the files now."), "copied_target"),
        (
            ("Feche a janela e salve o trabalho com os arquivos do computador.", "Salve."),
            "wrong_language",
        ),
        (("Press.", "Pressione o botão que está no canto de cima da janela."), "length_mismatch"),
        (("Copied %d files.", "Arquivos copiados."), "placeholder_mismatch"),
        ((PAIRS[0][0], "Abra as preferências."), "several_translations"),
        (("", "Nada"), "empty_side"),
        (PAIRS[0], "duplicate_text"),
    ],
)
def test_pairs_that_look_wrong_are_named_with_their_rows(pair: tuple[str, str], code: str) -> None:
    found = reading.learned(table([*PAIRS, pair]), Columns())
    told = {one.code: one for one in found.findings}
    assert 5 in told[code].rows


def test_test_rows_that_are_learned_from_are_left_out() -> None:
    found = reading.learned(table(), Columns(), test=table([PAIRS[0], ("New.", "Novo.")]))
    assert found.test is not None
    assert list(found.test.inputs) == ["New."]
    assert "test_overlap" in {one.code for one in found.findings}


@pytest.mark.parametrize(
    ("source", "columns", "code"),
    [
        (table([("a", None)]), Columns(), "no_pairs"),
        ([{"a": "x"}], Columns(), "no_source_column"),
        ([{"source": "x", "n": 1}], Columns(), "no_target_column"),
        ([{"source": "x", "target": 3}], Columns(), "bad_text"),
        (table(), Columns(text=("source", "target")), "one_source_wanted"),
        (table(), Columns(text=("target",), label="target"), "column_twice"),
        (table(), Columns(label="translatoin"), "label_column_missing"),
        (table(split=["test"] * 4), Columns(), "no_training_rows"),
        (table(weight=[1, -1, 1, 1]), Columns(weight="weight"), "bad_weight"),
    ],
)
def test_sources_that_cannot_be_learned_from_are_refused(
    source: Any, columns: Columns, code: str
) -> None:
    with pytest.raises(InputError) as caught:
        reading.learned(source, columns)
    assert caught.value.code == code
    assert caught.value.received
    assert caught.value.next


def test_a_stream_gives_texts_few_at_a_time_and_in_their_order() -> None:
    texts = [f"Text {number}" for number in range(600)]
    windows = [inputs for _, inputs in reading.stream(texts, Columns(text=("source",)), 4096)]
    assert max(map(len, windows)) == reading.WINDOW
    assert [text for window in windows for text in window] == texts
