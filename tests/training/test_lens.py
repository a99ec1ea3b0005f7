"""What is frozen is computed once for each distinct input, and under a key that names it all."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from supertune.backbones.transformers import ENGINE
from supertune.catalogue.resolve import resolve
from supertune.contracts import BackboneRef, Encoding
from supertune.training import lens as lens_module
from supertune.training.cache import ActivationCache
from supertune.training.lens import CachedLens

TEXTS = ("A dull film.", "The shares rose again.", "A dull film.", "", ("a question?", "an answer"))


@pytest.fixture(scope="module")
def backbone(own_activations):
    folder = resolve("minilm").folder
    return ENGINE.open(BackboneRef("minilm", "transformers", folder), device="cpu", threads=None)


@pytest.fixture
def seen(backbone, monkeypatch):
    """How often each input went through the model."""
    counted = Counter()
    encode = backbone.features

    def counting(tokens, encoding, *, exact=True):
        counted.update(tokens)
        return encode(tokens, encoding, exact=exact)

    monkeypatch.setattr(backbone, "features", counting)
    return counted


def looking(backbone, store=None, **encoding):
    return CachedLens(
        backbone, Encoding(**{"max_length": 16, **encoding}), store or ActivationCache(None)
    )


def test_each_distinct_input_is_computed_once(backbone, seen):
    lens = looking(backbone)
    first = lens.features(TEXTS)
    again = lens.features(TEXTS[::-1])
    assert set(seen.values()) == {1}
    assert len(seen) == lens.computed == 4
    np.testing.assert_array_equal(again[::-1], first)
    np.testing.assert_array_equal(first[0], first[2])


def test_vectors_are_those_of_the_backbone(backbone):
    lens = looking(backbone)
    tokens = backbone.tokens(TEXTS, lens.encoding)
    np.testing.assert_array_equal(
        lens.features(TEXTS), backbone.features(tokens, lens.encoding, exact=True)
    )


def test_vectors_can_be_changed_without_changing_what_is_kept(backbone):
    lens = looking(backbone)
    first = lens.features(TEXTS)
    kept = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(lens.features(TEXTS), kept)


def test_another_process_finds_what_this_one_computed(backbone, seen, tmp_path):
    with ActivationCache(tmp_path) as store:
        first = looking(backbone, store).features(TEXTS)
    with ActivationCache(tmp_path) as store:
        lens = looking(backbone, store)
        np.testing.assert_array_equal(lens.features(TEXTS), first)
    assert lens.computed == 0
    assert set(seen.values()) == {1}


@pytest.mark.parametrize(
    "encoding",
    [{"max_length": 12}, {"pooling": "cls"}, {"prefix": "query: "}, {"long_text": "chunk"}],
)
def test_another_encoding_finds_nothing_of_the_first(backbone, encoding):
    store = ActivationCache(None)
    looking(backbone, store).features(TEXTS)
    other = looking(backbone, store, **encoding)
    other.features(TEXTS)
    assert other.computed == 4


def test_other_threads_find_nothing_of_the_first(backbone):
    # Another number of threads may add up in another order.
    import torch

    store = ActivationCache(None)
    looking(backbone, store).features(TEXTS)
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        other = looking(backbone, store)
        other.features(TEXTS)
    finally:
        torch.set_num_threads(before)
    assert other.computed == 4


def test_a_folder_that_says_otherwise_how_it_is_read_finds_nothing(backbone, tmp_path):
    store = ActivationCache(None)
    first = looking(backbone, store).features(TEXTS)
    folder = tmp_path / "mine"
    shutil.copytree(backbone.ref.folder, folder)
    same = ENGINE.open(BackboneRef("mine", "transformers", folder), device="cpu", threads=None)
    found = looking(same, store)
    found.features(TEXTS)
    assert found.computed == 0, "the same model under another name"
    (folder / "modules.json").write_text("[]", "utf-8")
    other = ENGINE.open(BackboneRef("mine", "transformers", folder), device="cpu", threads=None)
    assert (other.sha256, other.offer.normalize) == (same.sha256, False)
    vectors = looking(other, store).features(TEXTS)
    assert not np.allclose(vectors, first)


def test_a_text_and_a_pair_of_the_same_words_have_keys_of_their_own(backbone):
    lens = looking(backbone)
    values = ("a b", ("a b",), ("a", "b"), "('a', 'b')")
    assert len({lens.key(value, "features") for value in values}) == 4
    assert lens.key("a", "features") != lens.key("a", "block 3")


def test_prediction_neither_reads_nor_fills_what_learning_keeps(backbone, seen):
    store = ActivationCache(None)
    lens = looking(backbone, store)
    lens.features(TEXTS)
    vectors = lens.features(TEXTS, prediction=True)
    assert lens.computed == 4
    assert store.stats()["memory_entries"] == 4
    assert seen[backbone.tokens(["A dull film."], lens.encoding)[0]] == 3, "twice in one question"
    tokens = backbone.tokens(TEXTS, lens.encoding)
    np.testing.assert_array_equal(vectors, backbone.features(tokens, lens.encoding, exact=False))


def test_the_last_question_is_not_computed_twice(backbone, seen):
    lens = looking(backbone)
    first = lens.features(TEXTS, prediction=True)
    assert lens.features(list(TEXTS), prediction=True) is first
    assert seen.total() == len(TEXTS)
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 0
    lens.features(TEXTS[:2], prediction=True)
    assert seen.total() == len(TEXTS) + 2


def test_nothing_asked_is_nothing_answered(backbone):
    lens = looking(backbone)
    assert lens.features([]).shape == (0, 384)
    assert lens.features([], prediction=True).shape == (0, 384)
    assert lens.activations([], 3) == []


def test_what_enters_a_block_is_kept_too(backbone):
    store = ActivationCache(None)
    lens = looking(backbone, store)
    pieces = [pieces[0] for pieces in backbone.tokens(TEXTS, lens.encoding)]
    states = lens.activations(pieces, 3)
    assert [len(state) for state in states] == [len(piece.ids) for piece in pieces]
    assert lens.computed == 4
    for again, state in zip(lens.activations(pieces[::-1], 3)[::-1], states):
        np.testing.assert_array_equal(again, state)
    assert lens.computed == 4
    lens.activations(pieces, 4)
    assert lens.computed == 8


def test_an_interruption_loses_little_of_what_was_computed(backbone, monkeypatch):
    monkeypatch.setattr(lens_module, "CHUNK", 4)
    store = ActivationCache(None)
    told = []

    def interrupt(done, total):
        told.append((done, total))
        if done >= 8:
            raise KeyboardInterrupt

    inputs = [f"text number {number}" for number in range(12)]
    with pytest.raises(KeyboardInterrupt):
        CachedLens(backbone, Encoding(), store, interrupt).features(inputs)
    assert told == [(4, 12), (8, 12)]
    rest = CachedLens(backbone, Encoding(), store)
    rest.features(inputs)
    assert rest.computed == 4


def test_the_key_does_not_depend_on_the_name_of_the_model(backbone):
    lens = looking(backbone)
    renamed = replace(backbone.ref, name="another")
    before, backbone.ref = backbone.ref, renamed
    try:
        assert looking(backbone).key("a", "features") == lens.key("a", "features")
    finally:
        backbone.ref = before


def entering_at(lens, cut, texts=TEXTS):
    return lens.activations(
        [p for row in lens.backbone.tokens(texts, lens.encoding) for p in row], cut
    )


def test_one_pass_gives_vectors_and_what_enters_the_cut_bit_for_bit(backbone, monkeypatch):
    apart, together = looking(backbone), looking(backbone)
    vectors, entering = apart.features(TEXTS), entering_at(apart, 3)
    together.read_through(TEXTS, 3)

    def read_again(*_args, **_keys):
        raise AssertionError("read a second time")

    for way in ("activations", "features"):
        monkeypatch.setattr(backbone, way, read_again)
    np.testing.assert_array_equal(together.features(TEXTS), vectors)
    for one, other in zip(entering_at(together, 3), entering, strict=True):
        np.testing.assert_array_equal(one, other)


def test_after_a_pass_for_both_a_pass_for_vectors_leaves_nothing_behind(backbone):
    lens = looking(backbone)
    lens.read_through(TEXTS[:1], 3)
    lens.features(TEXTS)
    counted = lens.computed
    entering_at(lens, 3)
    assert lens.computed - counted == len(set(TEXTS)) - 1


def test_an_answer_that_is_kept_is_of_its_own_precision(backbone):
    lens = looking(backbone)
    found = []
    for precision in ("bf16", "fp32"):
        with backbone.at(precision):
            found.append(lens.features(TEXTS, prediction=True))
    with backbone.at("fp32"):
        np.testing.assert_array_equal(found[1], looking(backbone).features(TEXTS, prediction=True))
    assert np.abs(found[0] - found[1]).max() > 0
