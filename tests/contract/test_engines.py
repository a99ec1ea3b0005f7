"""What every registered engine owes the methods, on one backbone of its own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from tests.contract.combinations import METHODS
from tests.onnx_encoders import exported
from tests.openai_server import Hashes, Server
from tests.tensorflow_here import tensorflow_is_here

import supertune
from supertune import registry
from supertune.config import Recipe
from supertune.contracts import Capability, Encoding, misfit
from supertune.contracts.method import OFFERED_BY
from supertune.opening import engine_of, reference
from supertune.pipeline import Workshop

# A backbone for each engine; one that is not named here opens what has its own name.
BACKBONES = {"transformers": "minilm", "openai_api": "openai:hashes"}
ENCODING = Encoding(max_length=32)


# Those that read texts; tests/backbones/detectors holds the others to the same.
ENGINES = [
    name for name in registry.names("backbones") if "text" in registry.engine(name).modalities
]


@pytest.fixture(scope="module", autouse=True)
def server(own_activations):
    """What the engine of servers asks: one of ours, on loopback."""
    with Server(hashes=Hashes()) as one, pytest.MonkeyPatch.context() as environment:
        environment.setenv("OPENAI_BASE_URL", one.url)
        environment.setenv("SUPERTUNE_ALLOW_REMOTE", "1")
        yield one


@pytest.fixture(scope="module", params=ENGINES)
def engine(request):
    return registry.engine(request.param)


@pytest.fixture(scope="module")
def backbone_name(engine, request, tmp_path_factory):
    if engine.name == "onnx":
        low = request.getfixturevalue("low_minilm")
        return str(exported(Path(low), tmp_path_factory.mktemp("graphs") / "low-minilm"))
    if engine.name == "keras":
        if not tensorflow_is_here():
            pytest.skip("needs the extra tensorflow")
        from supertune.backbones.keras.converting import convert

        low = request.getfixturevalue("low_minilm")
        return str(convert(Path(low), tmp_path_factory.mktemp("keras") / "low-minilm"))
    return BACKBONES.get(engine.name, f"{engine.name}:{engine.name}")


@pytest.fixture(scope="module")
def ref(engine, backbone_name):
    return reference(backbone_name)


@pytest.fixture(scope="module")
def backbone(engine, ref):
    return engine.open(ref, device="cpu", threads=1)


@pytest.fixture(scope="module")
def tokens(backbone, news):
    return backbone.tokens(news.three.inputs, ENCODING)


@pytest.fixture(scope="module")
def features(backbone, tokens):
    return backbone.features(tokens, ENCODING)


def test_its_name_is_its_key_and_its_summary_one_line(engine, backbone_name):
    assert registry.engine(engine.name) is engine
    assert engine_of(backbone_name) is engine
    assert 10 <= len(engine.summary) <= 120
    assert engine.summary == " ".join(engine.summary.split())
    assert set(engine.modalities) <= set(registry.names("modalities"))
    assert engine.extra is None or engine.extra.isidentifier()


def test_what_it_offers_can_be_relied_on(engine, ref):
    offer = engine.offers(ref)
    assert offer == engine.offers(ref)
    assert offer.capabilities
    assert offer.capabilities <= set(get_args(Capability))
    assert offer.architecture
    assert offer.width >= 1
    assert offer.max_length >= 8
    assert offer.parameters >= 0
    assert (offer.depth >= 1) == ("blocks" in offer.capabilities)
    assert offer.pooling in {"mean", "cls", "last"}
    assert all(code == "*" or 2 <= len(code) <= 3 for code in offer.languages)


OFFERED = """
import json, sys
from supertune import registry
from supertune.pipeline import reference
name, backbone = sys.argv[1:]
offer = registry.engine(name).offers(reference(backbone))
heavy = {"torch", "transformers", "peft", "sklearn", "scipy", "tensorflow"} & set(sys.modules)
print(json.dumps([offer.width, offer.architecture, sorted(heavy)]))
"""


def test_what_it_offers_is_known_without_a_framework(engine, backbone_name, ref, python):
    done = python(OFFERED, engine.name, backbone_name)
    assert done.returncode == 0, done.stderr
    offer = engine.offers(ref)
    assert json.loads(done.stdout) == [offer.width, offer.architecture, []]


def test_what_is_open_is_what_was_offered(engine, ref, backbone):
    assert backbone.offer == engine.offers(ref)
    assert backbone.ref == ref


def test_its_sha256_is_the_same_each_time_it_is_opened(engine, ref, backbone):
    again = engine.open(ref, device="cpu", threads=1)
    assert len(backbone.sha256) == 64
    assert again.sha256 == backbone.sha256


def test_opened_twice_it_sees_the_same(engine, ref, news, features):
    again = engine.open(ref, device="cpu", threads=1)
    tokens = again.tokens(news.three.inputs, ENCODING)
    np.testing.assert_array_equal(again.features(tokens, ENCODING), features)


def test_a_text_is_one_finite_vector(backbone, features, news):
    assert features.shape == (len(news.three), backbone.offer.width)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    assert len(np.unique(features, axis=0)) == len(news.three)


def test_no_texts_are_no_vectors(backbone):
    for exact in (True, False):
        found = backbone.features(backbone.tokens([], ENCODING), ENCODING, exact=exact)
        assert found.shape == (0, backbone.offer.width)
        assert found.dtype == np.float32


def test_exact_features_have_the_same_bits_whatever_the_neighbours(backbone, tokens, features):
    np.testing.assert_array_equal(backbone.features(tokens[::-1], ENCODING)[::-1], features)
    for row in (0, 7):
        alone = backbone.features(tokens[row : row + 1], ENCODING)
        np.testing.assert_array_equal(alone[0], features[row])


def test_features_for_prediction_are_nearly_the_exact_ones(backbone, tokens, features):
    found = backbone.features(tokens, ENCODING, exact=False)
    np.testing.assert_allclose(found, features, atol=1e-5 * np.abs(features).max())


def test_features_for_prediction_are_the_same_each_time(backbone, tokens):
    first = backbone.features(tokens, ENCODING, exact=False)
    np.testing.assert_array_equal(backbone.features(tokens, ENCODING, exact=False), first)


def test_odd_texts_are_finite_vectors(backbone, odd):
    found = backbone.features(backbone.tokens(odd, ENCODING), ENCODING)
    assert found.shape == (len(odd), backbone.offer.width)
    assert np.isfinite(found).all()


def test_tokens_depend_on_their_own_text_alone(backbone, tokens, news):
    assert backbone.tokens(news.three.inputs[3:4], ENCODING) == tokens[3:4]


def test_a_text_is_cut_to_length(backbone):
    short = replace(ENCODING, max_length=8)
    long, longer = ("word " * 100, "word " * 200)
    first, second = backbone.tokens([long, longer], short)
    assert first == second
    found = backbone.features(backbone.tokens(["one two", "one three"], ENCODING), ENCODING)
    assert not np.array_equal(found[0], found[1])


def test_a_pair_is_read_whole(backbone):
    pairs = [("the same", "an ending"), ("the same", "another one")]
    found = backbone.features(backbone.tokens(pairs, ENCODING), ENCODING)
    assert not np.array_equal(found[0], found[1])


def test_what_enters_a_block_is_one_vector_a_token(backbone, tokens):
    if "blocks" not in backbone.offer.capabilities:
        pytest.skip("it offers no blocks")
    pieces = [piece for row in tokens[:4] for piece in row]
    for cut in (0, backbone.offer.depth - 1):
        found = backbone.activations(pieces, cut)
        assert [one.shape for one in found] == [
            (len(piece.ids), backbone.offer.width) for piece in pieces
        ]
        alone = backbone.activations(pieces[1:2], cut)
        np.testing.assert_array_equal(alone[0], found[1])


def test_every_method_that_it_suffices_for_works_on_it(
    engine, backbone_name, backbone, news, tmp_path
):
    workshop = Workshop(Recipe(max_length=32, threads=1))
    offer = workshop.offer(backbone_name)
    suited = [m for m in registry.methods() if m.needs and misfit(m, "classify", offer) is None]
    assert suited
    if engine.name == "transformers":
        assert {method.name for method in suited} <= set(METHODS)
        pytest.skip("test_model_folders fits, saves and loads all of them on it")
    for method in suited:
        keys = {"epochs": 1} if "epochs" in method.options.model_fields else {}
        model = supertune.fit(
            news.pairs,
            output=tmp_path / method.name,
            method=method.name,
            backbone=backbone_name,
            folds=2,
            repeats=1,
            max_length=32,
            threads=1,
            **keys,
        )
        asked = list(news.three.inputs)
        again = supertune.load(tmp_path / method.name)
        np.testing.assert_array_equal(again.predict_proba(asked), model.predict_proba(asked))


def test_what_it_lacks_is_refused_by_name(backbone_name, backbone, news):
    there = backbone.offer.capabilities | OFFERED_BY["text"]
    lacking = [m for m in registry.methods() if m.needs - there]
    if backbone.offer.tunes:  # by steps of its own, for which nothing need be torch's
        lacking = [m for m in lacking if misfit(m, "classify", backbone.offer) is not None]
        assert {"ia3", "deep_prompts"} <= {m.name for m in lacking}
    if not lacking:
        pytest.skip("it has all that any method needs")
    for method in lacking:
        with pytest.raises(supertune.errors.InputError) as caught:
            supertune.fit(news.pairs, method=method.name, backbone=backbone_name)
        assert caught.value.code == "method_does_not_fit"
        assert method.name in caught.value.message
