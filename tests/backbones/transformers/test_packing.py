"""Rows packed side by side, against the same rows padded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from supertune.backbones.transformers import packing
from supertune.backbones.transformers.batching import Piece, packs
from supertune.contracts import Encoding, Injection, Prompt

TEXTS = ["good", "a very long film and a dull story of two", "the film was good", "bad bad"] * 3
WORDS = (("good",), ("bad", "very dull"))


@pytest.fixture
def padded(monkeypatch):
    """Inside ``padded(backbone)`` its rows stay apart."""

    def switch(backbone):
        monkeypatch.setattr(backbone, "apart", True)

    return switch


def vectors(backbone, encoding, texts=TEXTS):
    return backbone.features(backbone.tokens(texts, encoding), encoding)


# --- the same numbers -------------------------------------------------------------------------


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
@pytest.mark.parametrize(
    ("family", "first"),
    [("bert", 0), ("roberta", 2), ("electra", 0), ("distilbert", 0), ("llama", 0), ("gpt2", 0)],
)
def test_packed_rows_have_the_vectors_of_padded_ones(tiny, padded, family, first, pooling):
    backbone, how = tiny(family), Encoding(max_length=32, pooling=pooling)
    if family == "distilbert" and backbone.offset is None:
        pytest.skip("this version's positions cannot be given")
    assert backbone.offset == first
    found = vectors(backbone, how)
    padded(backbone)
    np.testing.assert_allclose(found, vectors(backbone, how), atol=2e-6 * np.abs(found).max())


@pytest.mark.parametrize("family", ["t5", "mpnet"])
def test_a_model_that_reads_beyond_its_row_is_found_out_and_padded(tiny, family):
    assert tiny(family).offset is None


@pytest.mark.parametrize("name", ["minilm", "e5", "smollm2"])
def test_real_models_too(request, padded, name):
    backbone, how = request.getfixturevalue(name), Encoding(max_length=24)
    assert backbone.offset == (2 if name == "e5" and backbone.offset == 2 else 0)
    found = vectors(backbone, how, TEXTS[:4])
    padded(backbone)
    expected = vectors(backbone, how, TEXTS[:4])
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("family", ["masked-bert", "masked-roberta", "llama", "gpt2"])
def test_words_are_scored_alike(tiny, padded, family):
    backbone = tiny(family)
    how = Encoding(max_length=32, prompt=Prompt("{text} and {answer}", WORDS))
    tokens = backbone.tokens(TEXTS, how)
    found = backbone.scores(tokens, how)
    padded(backbone)
    np.testing.assert_allclose(found, backbone.scores(tokens, how), atol=1e-5)


@pytest.mark.parametrize("family", ["masked-bert", "llama"])
def test_a_last_block_that_is_read_at_the_answer_alone_reads_no_more_of_a_row(tiny, padded, family):
    backbone = tiny(family)
    how = Encoding(max_length=32, prompt=Prompt("{text} and {answer}", WORDS))
    flat = [piece for pieces in backbone.tokens(TEXTS[:4], how) for piece in pieces]
    # Early positions: what stands behind them must not be read by a causal model.
    flat = [replace(piece, reads=(1,) * len(piece.reads)) for piece in flat]
    flat = [piece for piece in flat if piece.kind == flat[0].kind]
    batch = backbone.tensors(flat, len(flat), max(len(piece.ids) for piece in flat))
    assert isinstance(backbone.laid(batch), packing.Packed)
    found = backbone.log_probabilities(batch).numpy()
    padded(backbone)
    np.testing.assert_allclose(found, backbone.log_probabilities(batch).numpy(), atol=1e-5)


@pytest.mark.parametrize(
    "injection",
    [
        Injection("LORA", (2, 3), {"r": 2}),
        Injection("adapter", (3,), {"reduction": 4}),
        Injection("unfreeze", (3,), {"only": "all"}),
    ],
    ids=lambda injection: injection.kind,
)
@pytest.mark.parametrize("family", ["bert", "llama"])
def test_gradients_are_those_of_padded_rows(tiny, padded, family, injection):
    import torch

    backbone, how = tiny(family), Encoding(max_length=24, pooling="mean")
    flat = [piece for pieces in backbone.tokens(TEXTS[:4], how) for piece in pieces]

    def gradients():
        tunable = backbone.inject(injection, seed=0)
        entering = [torch.tensor(one) for one in backbone.activations(flat, tunable.cut)]
        hidden = torch.nn.utils.rnn.pad_sequence(entering, batch_first=True)
        with tunable:
            batch = backbone.tensors(flat, len(flat), hidden.shape[1])
            with torch.no_grad():
                for parameter in tunable.parameters():
                    parameter += 0.1
            assert isinstance(backbone.laid(batch), expected)
            vectors = tunable.run(batch, hidden, how)
            (vectors * torch.linspace(-1, 2, vectors.numel()).view_as(vectors)).sum().backward()
            return [p.grad.numpy().copy() for p in tunable.parameters() if p.grad is not None]

    expected = packing.Packed
    packed = gradients()
    padded(backbone)
    expected = packing.Padded
    apart = gradients()
    largest = max(np.abs(wanted).max() for wanted in apart)
    for found, wanted in zip(packed, apart, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-5 * largest)


# --- the same bits ----------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", ["minilm", "smollm2"])
def test_a_rows_bits_do_not_depend_on_what_lies_beside_it(request, name, precision):
    backbone, how = request.getfixturevalue(name), Encoding(max_length=40)
    texts = [f"{text} {' '.join(TEXTS[:count])}" for count, text in enumerate(TEXTS[:6])]
    with backbone.at(precision):
        together = vectors(backbone, how, texts)
        for i, text in enumerate(texts):
            np.testing.assert_array_equal(vectors(backbone, how, [text])[0], together[i])
        np.testing.assert_array_equal(vectors(backbone, how, texts[::-1])[::-1], together)


def test_where_products_of_any_size_differ_all_packs_have_one(tiny, monkeypatch):
    backbone = tiny("bert")
    monkeypatch.setattr(packing, "_same_bits", lambda matrix: False)
    monkeypatch.setattr(backbone, "any_size", {})
    tokens = backbone.tokens(TEXTS, Encoding(max_length=32))
    flat = [piece for pieces in tokens for piece in pieces]
    assert {fill for *_, fill in backbone.plan(flat, True)} == {packing.ONE_SIZE}


# --- the plan ---------------------------------------------------------------------------------


def test_packs_hold_every_piece_once_and_little_else():
    rng = np.random.default_rng(0)
    pieces = [Piece(tuple(range(n))) for n in rng.integers(3, 200, 300)]
    found = list(packs(pieces, 1024, 64))
    assert sorted(i for index, *_ in found for i in index) == list(range(len(pieces)))
    for index, rows, width, fill in found:
        tokens = sum(len(pieces[i].ids) for i in index)
        assert rows == len(index)
        assert width == max(len(pieces[i].ids) for i in index)
        assert tokens <= fill < tokens + 64
        assert fill <= 1024
    total = sum(len(piece.ids) for piece in pieces)
    assert sum(fill for *_, fill in found) < 1.05 * total


def test_a_piece_longer_than_a_pack_has_one_of_its_own():
    pieces = [Piece(tuple(range(n))) for n in (5, 3000, 7)]
    assert [(index, fill) for index, _, _, fill in packs(pieces, 1024, 64)] == [
        ([0, 2], 64),
        ([1], 3008),
    ]


def test_packs_are_the_same_in_any_order_of_the_pieces():
    pieces = [Piece((i, *range(i % 7))) for i in range(40)]
    turned = pieces[::-1]
    one = [[pieces[i] for i in index] for index, *_ in packs(pieces, 64, 16)]
    other = [[turned[i] for i in index] for index, *_ in packs(turned, 64, 16)]
    assert one == other


def test_fewer_tokens_pass_through_a_layer_than_padded(minilm, padded):
    texts = ["good", "very long film " * 12] * 6
    how = Encoding(max_length=64)
    flat = [piece for pieces in minilm.tokens(texts, how) for piece in pieces]
    real = sum(len(piece.ids) for piece in flat)
    passed = []
    handle = minilm.blocks[0].register_forward_hook(
        lambda _m, _i, output: passed.append(np.prod(output.shape[:2]))
    )
    vectors(minilm, how, texts)
    packed = sum(passed)
    padded(minilm)
    passed.clear()
    vectors(minilm, replace(how), texts)
    handle.remove()
    assert real <= packed < real + packing.GRAIN
    assert sum(passed) > packed


# --- left as it was ---------------------------------------------------------------------------


def test_attention_is_that_of_the_model_again_afterwards(minilm):
    before = minilm.body.config._attn_implementation

    def fail(*_):
        raise KeyboardInterrupt

    vectors(minilm, Encoding(max_length=24), TEXTS[:2])
    assert minilm.body.config._attn_implementation == before
    handle = minilm.blocks[2].register_forward_pre_hook(fail)
    with pytest.raises(KeyboardInterrupt):
        vectors(minilm, Encoding(max_length=24), TEXTS[:2])
    handle.remove()
    assert minilm.body.config._attn_implementation == before


def test_rows_are_padded_when_asked_for_and_while_vectors_stand_in_front(tiny):
    import torch

    backbone = tiny("bert")
    batch = backbone.tensors([Piece((2, 5, 3)), Piece((2, 3))], 2, 3)
    assert isinstance(backbone.laid(batch), packing.Packed)
    with backbone.inject(Injection("deep_prompts", (2, 3), {"tokens": 2}), seed=0), torch.no_grad():
        assert isinstance(backbone.laid(batch), packing.Padded)
    assert isinstance(backbone.laid(batch), packing.Packed)


@pytest.mark.parametrize(("length", "rows"), [(24, 5), (136, 2)])
def test_attention_written_out_is_the_kernels_forward_and_backward(length, rows):
    import torch

    from supertune.backbones.transformers import group_attention

    dice = torch.Generator().manual_seed(0)
    real = torch.arange(length) < torch.randint(3, length, (rows, 1), generator=dice)
    given = [torch.randn(rows, 4, length, 16, generator=dice) for _ in range(4)]

    def passed(kind):
        q, k, v = (one.to(kind).requires_grad_() for one in given[:3])
        found = group_attention.attention(q, k, v, real=real, causal=False, dropout=0.0, scale=None)
        found.backward(given[3].to(kind))
        return [one.detach().float() for one in (found, q.grad, k.grad, v.grad)]

    for half, whole in zip(passed(torch.bfloat16), passed(torch.float32), strict=True):
        assert 0 < (half - whole).norm() <= 0.02 * whole.norm()


def test_attention_is_written_out_only_where_a_gradient_is_asked_for_in_bf16():
    import torch

    from supertune.backbones.transformers.group_attention import LONGEST, _slow_backward

    def slow(kind=torch.bfloat16, length=8, graded=True):
        return _slow_backward(torch.zeros(1, 1, length, 4, dtype=kind, requires_grad=graded))

    assert slow()
    assert not slow(torch.float32)
    assert not slow(length=LONGEST + 1)
    assert not slow(graded=False)
    with torch.no_grad():
        assert not slow()
