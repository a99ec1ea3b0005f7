"""The page with pictures on which hits, misses and false alarms are drawn."""

from __future__ import annotations

import re
from typing import Any

from supertune.report import render

LEGEND = "hit: found, and there"


def page(drawn: list[dict[str, Any]], classes: tuple[str, ...] = ("bird", "fish")) -> str:
    counted = {"boxes": 2, "map": 0.4, "map50": 0.6, "recall": 0.5, "hits": 1, "misses": 1}
    listed = [{"label": name, **counted, "false_alarms": 0} for name in classes]
    report = {"detection": {"threshold": 0.5, "classes": listed, "drawn": drawn}}
    return render.html({"metric": "map", "task": "object_detection", **report})


def one(**changes: Any) -> dict[str, Any]:
    boxes = [
        {"kind": "hit", "label": "bird", "score": 0.91, "at": [0.1, 0.2, 0.5, 0.6]},
        {"kind": "miss", "label": "<b>fish", "score": None, "at": [0.5, 0.5, 0.75, 1.0]},
        {"kind": "alarm", "label": "bird", "score": 0.6, "at": [0.0, 0.0, 0.1, 0.1]},
    ]
    counts = {"hits": 1, "misses": 1, "false_alarms": 1, "left_out": 0}
    shown = {"row": 7, "name": "a<b.png", "picture": "AAAA", "size": [320, 240], "boxes": boxes}
    return {**shown, **counts, **changes}


def test_each_kind_of_box_is_drawn_in_its_own_way_with_a_legend() -> None:
    found = page([one()])
    assert LEGEND in found
    for kind in ("hit", "miss", "alarm"):
        assert len(re.findall(rf'<rect class="{kind}"', found)) == 2  # one of them in the legend
    assert '<rect class="miss" x="160.0" y="120.0" width="80.0" height="120.0"/>' in found
    assert 'href="data:image/jpeg;base64,AAAA"' in found
    assert "1 missed (<bdi>&lt;b&gt;fish</bdi>)" in found
    assert "a&lt;b.png" in found
    assert "<b>fish" not in found


def test_a_picture_is_told_in_words_too() -> None:
    found = page([one(left_out=3)])
    label = re.search(r'role="img" aria-label="([^"]+)"><image', found)
    assert label
    assert label[1].replace("\u00a0", " ") == "Row 7: 1 hit, 1 missed, 1 false alarm"
    assert "3 not drawn" in found


def test_of_one_class_its_name_is_not_repeated() -> None:
    assert "1 missed, 1" in page([one()], ("bird",)).replace("\u00a0", " ")


def test_without_pictures_the_table_stands_alone() -> None:
    found = page([])
    assert "False alarms" in found
    assert LEGEND not in found
    assert "<image" not in found
