"""A rule of the house is the user's own function, named on the command line."""

from __future__ import annotations

import pytest

from supertune.cli import rules
from supertune.errors import InputError

ITEM = {"item": "t1", "title": "tea", "categories": [], "score": 1.0}
SHOP = """
STOCK = {"t1"}
NUMBER = 3
def in_stock(item):
    return item["item"] in STOCK
def counts(item):
    return len(item)
def breaks(item):
    return item["price"] < 3
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "shop_rules_of_a_test.py").write_text(SHOP)
    (tmp_path / "broken_rules_of_a_test.py").write_text("import nothing_that_there_is\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_module_of_this_folder_is_found_and_the_path_is_left_as_it_was(here):
    import sys

    before = list(sys.path)
    own = rules.rule("shop_rules_of_a_test:in_stock")
    assert own(ITEM)
    assert not own({**ITEM, "item": "t2"})
    assert sys.path == before


@pytest.mark.parametrize(
    "named",
    [
        "shop_rules_of_a_test",
        ":in_stock",
        "shop_rules_of_a_test:",
        "../shop:in_stock",
        "shop_rules_of_a_test:no_such",
        "shop_rules_of_a_test:NUMBER",
        "no_such_module_of_a_test:in_stock",
        "broken_rules_of_a_test:in_stock",
    ],
)
def test_what_is_no_rule_is_refused_with_an_example(here, named):
    with pytest.raises(InputError) as caught:
        rules.rule(named)
    assert caught.value.code == "bad_rule"
    assert rules.EXAMPLE in caught.value.next


@pytest.mark.parametrize("name", ["counts", "breaks"])
def test_a_rule_that_does_not_answer_says_for_which_item(here, name):
    with pytest.raises(InputError) as caught:
        rules.rule(f"shop_rules_of_a_test:{name}")(ITEM)
    assert caught.value.code == "rule_failed"
    assert "'t1'" in caught.value.received
