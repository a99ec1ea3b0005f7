from __future__ import annotations

import base64
import copy
import hashlib
import itertools
import json
import math
import re
from collections.abc import Callable
from typing import Any

import pytest

from supertune.report import html, notebook

Report = dict[str, Any]
Parse = Callable[[str], Any]


def classes(tag: Any) -> list[str]:
    return (tag.attributes.get("class") or "").split()


def variants(sample: Report) -> dict[str, Report]:
    """Reports with parts that are missing, empty or without a number."""
    bare: Report = {}
    nothing = dict.fromkeys(sample)
    empty = {key: type(value)() for key, value in sample.items() if value is not None}
    several = copy.deepcopy(sample) | {"confusion": None, "reliability": []}
    several["rows"][0] |= {"label": ["a", "b"], "predicted": []}
    unscored = copy.deepcopy(sample) | {"estimate": None, "test": None, "baselines": {}}
    unscored |= {"metrics": {}, "per_class": [], "confusion": None, "slices": {}}
    text = json.dumps(sample)
    numberless = json.loads(
        re.sub(r'"(value|low|high|share|confidence)": [\d.e-]+', r'"\1": NaN', text)
    )
    return {
        "bare": bare,
        "nothing": nothing,
        "empty": empty,
        "several labels": several,
        "unscored": unscored,
        "numberless": numberless,
    }


def test_the_page_is_well_formed_and_in_english(sample: Report, parse: Parse) -> None:
    page = html(sample)
    assert page.startswith("<!doctype html>")
    assert parse(page).all("html")[0].attributes["lang"] == "en"


@pytest.mark.parametrize(
    "name", ["bare", "nothing", "empty", "several labels", "unscored", "numberless"]
)
def test_a_report_with_parts_missing_still_makes_a_page(
    name: str, sample: Report, parse: Parse
) -> None:
    tree = parse(html(variants(sample)[name]))
    assert len(tree.all("section")) >= 4
    body = tree.all("main")[0].text.lower()
    assert not re.search(r"\bnan\b|undefined|\bnone\b(?!\))", body)


def test_equal_reports_give_equal_bytes(sample: Report) -> None:
    assert html(sample) == html(copy.deepcopy(sample))


def test_nothing_is_loaded_from_anywhere_and_the_page_forbids_it(
    sample: Report, parse: Parse
) -> None:
    page = html(sample)
    tree = parse(page)
    assert tree.all("link", "img", "iframe", "object", "embed", "video", "audio", "base") == []
    assert "url(" not in page
    assert "@import" not in page
    assert not re.search(r"https?:", page)
    for tag in tree.all():
        assert not {"src", "srcset", "action", "formaction", "ping"} & set(tag.attributes)
        assert not [name for name in tag.attributes if name.startswith("on")]
        assert (tag.attributes.get("href") or "#").startswith("#")
    policy = next(t for t in tree.all("meta") if t.attributes.get("http-equiv")).attributes
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert "default-src 'none'" in (policy["content"] or "")


def test_the_only_script_is_the_one_that_the_policy_names(hostile: Report, parse: Parse) -> None:
    tree = parse(html(hostile))
    (script,) = tree.all("script")
    digest = base64.b64encode(hashlib.sha256(script.text.encode()).digest()).decode()
    policy = next(t for t in tree.all("meta") if t.attributes.get("http-equiv")).attributes
    assert f"script-src 'sha256-{digest}'" in (policy["content"] or "")


def test_landmarks_and_a_skip_link_lead_through_the_page(sample: Report, parse: Parse) -> None:
    body = parse(html(sample)).all("body")[0]
    first = body.all("a")[0].attributes
    (main,) = body.all("main")
    assert first["href"] == f"#{main.attributes['id']}"
    assert [len(body.all(name)) for name in ("header", "main", "nav", "footer")] == [1, 1, 1, 1]
    assert body.all("nav")[0].attributes["aria-label"]


def test_headings_descend_one_level_at_a_time(sample: Report, parse: Parse) -> None:
    levels = [int(tag.name[1]) for tag in parse(html(sample)).all("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))


def test_sections_come_in_the_order_a_reader_needs_them(sample: Report, parse: Parse) -> None:
    sections = [tag.attributes["id"] for tag in parse(html(sample)).all("section")]
    assert sections == [
        *("verdict", "next", "findings", "scores", "confusions", "reliability", "slices", "rows"),
        *("candidates", "tuned", "cost", "data", "repeat", "versions", "references"),
    ]


def test_every_link_and_every_label_points_at_something_once(crowded: Report, parse: Parse) -> None:
    tags = parse(html(crowded)).all()
    ids = [tag.attributes["id"] for tag in tags if "id" in tag.attributes]
    assert len(ids) == len(set(ids))
    targets = [(tag.attributes.get("href") or "#")[1:] for tag in tags if tag.name == "a"]
    targets += [t.attributes["aria-labelledby"] for t in tags if "aria-labelledby" in t.attributes]
    assert set(targets) <= set(ids)


@pytest.mark.parametrize("name", ["several labels", "empty", "unscored"])
def test_the_contents_list_exactly_the_sections_that_are_there(
    name: str, sample: Report, parse: Parse
) -> None:
    tree = parse(html(variants(sample)[name]))
    listed = [(tag.attributes["href"] or "")[1:] for tag in tree.all("nav")[0].all("a")]
    assert listed == [tag.attributes["id"] for tag in tree.all("section")]


def test_every_table_has_a_caption_and_every_heading_cell_a_scope(
    sample: Report, parse: Parse
) -> None:
    tables = parse(html(sample)).all("table")
    assert len(tables) >= 10
    for table in tables:
        assert table.children[0].name == "caption"
        assert table.children[0].text.strip()
        assert {cell.attributes.get("scope") for cell in table.all("th")} <= {"row", "col"}
        assert len(table.all("thead")[0].all("th")) == len(
            table.all("tbody")[0].all("tr")[0].all("th", "td")
        )


def test_every_drawing_is_described_or_beside_its_own_text(sample: Report, parse: Parse) -> None:
    for svg in parse(html(sample)).all("svg"):
        hidden = svg.attributes.get("aria-hidden") == "true"
        assert hidden or (svg.attributes["role"], bool(svg.attributes["aria-label"])) == (
            "img",
            True,
        )


def test_what_scrolls_can_be_reached_by_keyboard_and_has_a_name(
    crowded: Report, parse: Parse
) -> None:
    tree = parse(html(crowded))
    boxes = [tag for tag in tree.all("div", "pre") if "box" in classes(tag) or tag.name == "pre"]
    assert len(boxes) >= 8
    for box in boxes:
        assert box.attributes["tabindex"] == "0"
        assert box.attributes["role"] == "region"
        assert box.attributes.get("aria-label") or box.attributes.get("aria-labelledby")


def test_the_verdict_the_score_and_its_rows_come_before_all_else(
    sample: Report, parse: Parse
) -> None:
    verdict = parse(html(sample)).all("section")[0].text.replace("\u00a0", " ")
    assert sample["verdict"]["text"] in verdict
    assert "accuracy [.86, .92] on 400 rows" in verdict
    assert "TF-IDF + logistic regression" in verdict
    assert ".62 [.57, .67]" in verdict


def test_next_steps_show_their_commands_to_copy(sample: Report, parse: Parse) -> None:
    section = next(t for t in parse(html(sample)).all("section") if t.attributes["id"] == "next")
    commands = [tag.text for tag in section.all("code")]
    assert commands == [
        "supertune fit bbc.csv --test test.csv -o bbc-model --overwrite",
        "supertune predict bbc-model new.csv -o predictions.csv",
    ]


def test_hostile_texts_stay_texts(hostile: Report, parse: Parse) -> None:
    page = html(hostile)
    tree = parse(page)
    assert tree.all("img") == []
    assert len(tree.all("h1")) == 1
    assert len(tree.all("style")) == len(tree.all("title")) == 1
    assert "49" not in tree.all("section")[1].text
    for text in ("<script>alert(1)</script>", "{{ 7 * 7 }}{% raw %}", "</title></style></script>"):
        assert text in tree.all("main")[0].text
    assert page.encode("utf-8").decode("utf-8") == page
    assert "\x00" not in page


def test_text_that_reads_right_to_left_is_kept_apart_from_its_surroundings(
    hostile: Report, parse: Parse
) -> None:
    tree = parse(html(hostile))

    def guarded(tag: Any, safe: bool) -> None:
        safe = safe or tag.name in {"bdi", "code", "title"} or tag.attributes.get("dir") == "auto"
        inside = sum(piece.text.count("\u202e") for piece in tag.children)
        if tag.text.count("\u202e") > inside:
            assert safe, tag
        for child in tag.children:
            guarded(child, safe)

    assert "\u202e" in tree.text
    guarded(tree, False)


def test_no_path_of_the_machine_is_shown(hostile: Report) -> None:
    hostile["commands"] = {}
    assert "/mnt/" not in html(hostile)


def test_rows_are_cut_and_the_suspicious_come_first(sample: Report, parse: Parse) -> None:
    sample["rows"][5]["text"] = "word " * 400
    sample["rows"].reverse()
    section = next(t for t in parse(html(sample)).all("section") if t.attributes["id"] == "rows")
    lines = section.all("tbody")[0].all("tr")
    assert ["label looks wrong" in line.text for line in lines] == [True] * 2 + [False] * 6
    assert max(len(cell.text) for line in lines for cell in line.all("td")) <= 204


def test_two_hundred_rows_make_a_page_below_200_kilobytes(sample: Report) -> None:
    text = "some words " * 40
    sample["rows"] = [sample["rows"][i % 8] | {"row": i + 1, "text": text} for i in range(200)]
    page = html(sample)
    assert page.count("some words some words") >= 200
    assert len(page.encode()) < 200_000


def test_two_hundred_labels_list_their_confusions_instead_of_a_matrix(
    crowded: Report, parse: Parse
) -> None:
    page = html(crowded)
    tree = parse(page)
    assert not [table for table in tree.all("table") if "matrix" in classes(table)]
    assert "The commonest confusions, 30 of 410" in tree.text.replace("\u00a0", " ")
    assert len(page.encode()) < 300_000


def test_the_matrix_counts_shades_and_marks_what_is_right(sample: Report, parse: Parse) -> None:
    table = next(t for t in parse(html(sample)).all("table") if "matrix" in classes(t))
    counts = [
        [int(c.text.replace("·", "0")) for c in line.all("td")[:-1]] for line in table.all("tr")[1:]
    ]
    assert counts == sample["confusion"]["counts"]
    right = [[("right" in classes(c)) for c in line.all("td")[:-1]] for line in table.all("tr")[1:]]
    assert right == [[i == j for j in range(5)] for i in range(5)]


def test_a_row_that_nothing_is_known_of_is_no_error(sample: Report) -> None:
    sample["rows"] = [
        {"row": 3, "text": None, "label": None, "predicted": None, "confidence": math.nan}
    ]
    assert "n/a" in html(sample)


def test_the_references_are_the_works_that_the_report_names(sample: Report, parse: Parse) -> None:
    last = parse(html(sample)).all("section")[-1]
    works = [line.text for line in last.all("ul")[-1].all("li")]
    named = ("Agresti", "Breiman", "Clopper", "Efron", "Tsamardinos", "Wilson")
    assert [next(name for name in named if name in work) for work in works] == list(named)


def test_a_row_that_names_an_author_adds_no_reference(sample: Report, parse: Parse) -> None:
    before = parse(html(sample)).all("section")[-1].text
    sample["rows"][0]["text"] = "Brier (1950) and Kish (1965)"
    sample["findings"][0]["message"] = "a column named Kish (1965)"
    assert parse(html(sample)).all("section")[-1].text == before


def test_a_page_without_rows_says_that_it_holds_none(sample: Report, parse: Parse) -> None:
    texts = [row["text"] for row in sample["rows"]] + [
        s["article"] for s in sample["data"]["samples"]
    ]
    sample["rows"], sample["data"]["samples"], sample["data"]["holds_rows"] = [], [], False
    body = parse(html(sample)).all("main")[0].text
    assert "This page holds no row itself." in body
    assert not [text for text in texts if text[:40] in body]


def test_a_notebook_gets_the_page_in_a_frame_of_its_own(sample: Report, parse: Parse) -> None:
    (frame,) = parse(notebook(sample)).all("iframe")
    assert frame.attributes["srcdoc"] == html(sample)
    assert frame.attributes["title"]
    assert "allow-same-origin" not in (frame.attributes["sandbox"] or "")


# --- colours --------------------------------------------------------------------------------


def _schemes(page: str) -> dict[str, dict[str, tuple[float, ...]]]:
    blocks = re.findall(r":root \{(.*?)\}", page, re.DOTALL)
    found = []
    for block in blocks[:2]:
        pairs = re.findall(r"--(\w[\w-]*): #([0-9a-f]{6})", block)
        found.append({k: tuple(int(v[i : i + 2], 16) / 255 for i in (0, 2, 4)) for k, v in pairs})
    return dict(zip(("light", "dark"), found, strict=True))


def _contrast(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Contrast ratio of two sRGB colours as WCAG 2.2 defines it."""

    def luminance(colour: tuple[float, ...]) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("front", "back"),
    [
        *(("ink", "paper"), ("soft", "paper"), ("accent", "paper")),
        *(("ink", "raised"), ("on-accent", "accent")),
    ],
)
def test_text_has_the_contrast_that_level_aa_asks_for(
    scheme: str, front: str, back: str, sample: Report
) -> None:
    colours = _schemes(html(sample))[scheme]
    assert _contrast(colours[front], colours[back]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_counts_are_readable_on_the_darkest_cell_of_the_matrix(scheme: str, sample: Report) -> None:
    page = html(sample)
    strongest = float(re.findall(r"calc\(var\(--s, 0\) \* ([\d.]+)\)", page)[0])
    colours = _schemes(page)[scheme]
    cell = tuple(
        strongest * a + (1 - strongest) * p
        for a, p in zip(colours["accent"], colours["paper"], strict=True)
    )
    assert _contrast(colours["ink"], cell) >= 4.5


def test_the_page_answers_dark_print_narrow_and_still_readers(sample: Report) -> None:
    page = html(sample)
    for wish in (
        "prefers-color-scheme: dark",
        "@media print",
        "max-width: 40rem",
        "prefers-reduced-motion",
        ":focus-visible",
    ):
        assert wish in page
