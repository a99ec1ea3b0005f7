"""Prices: those that come along have a date, and a person's own outdo them."""

from __future__ import annotations

import re
from pathlib import Path

from supertune.backbones.openai_api.counting import PRICES, price
from supertune.report.remote import took


def test_a_price_that_comes_along_says_when_it_was_seen() -> None:
    for name in PRICES:
        found = price(name, None)
        assert found is not None
        assert re.fullmatch(r"[A-Z][a-z]+ 202[6-9]", found.seen)
    assert price("a-model-of-next-year", None) is None
    tuned = price("ft:gpt-4o-mini:mine::1", None)
    assert tuned is not None
    assert (tuned.read, tuned.written) == (0.30, 1.20)
    assert price("ft:gpt-4.1:mine::1", None) is None  # nobody could be found who says


def test_a_table_of_ones_own_outdoes_it_and_has_no_date(tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    path.write_text('{"gpt-4o": {"input": 1, "output": 2}}', "utf-8")
    found = price("gpt-4o", str(path))
    assert found is not None
    assert (found.read, found.written, found.seen) == (1.0, 2.0, "")


def test_a_cost_is_told_with_the_date_of_its_price() -> None:
    one = {
        **dict.fromkeys(("requests", "tokens_read", "tokens_written"), 2),
        **dict.fromkeys(("tokens_estimated", "kept_from_before"), 0),
        "how": "",
        "cost": 0.5,
        "priced": "July 2026",
    }
    assert "0.500000 dollars by the price of July 2026" in took(one)
    assert "0.500000" in took({**one, "priced": ""})
    assert "dollars" not in took({**one, "priced": ""})
