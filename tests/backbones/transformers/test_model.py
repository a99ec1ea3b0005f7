"""Vectors and runs between blocks, against plain transformers and against themselves."""

from __future__ import annotations

import threading
from contextlib import nullcontext

import numpy as np
import pytest

from supertune.backbones.transformers import ENGINE, cutting
from supertune.backbones.transformers.batching import WIDTHS, Piece
from supertune.catalogue.corpora import few_shot
from supertune.contracts import BackboneRef, Encoding, Injection

ODD = ["", " ", "?", "👍🏽", "日本語のテキスト", "a" * 400, ("a question?", "an answer")]


@pytest.fixture(scope="module")
def texts(own_activations):
    """24 news of all lengths, from one word to more than fit."""
    rows, _ = few_shot("bbc-news", per_class=5, test_rows=1, seed=1)
    lengths = np.geomspace(4, 2500, 24).astype(int)
    return [text[:length] for (text, _), length in zip(rows, lengths)]


@pytest.fixture(scope="module")
def plain(own_activations):
    """Mean over the tokens of one text at a time, as the model's card says to do it."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    from supertune.catalogue.resolve import resolve

    def encode(name, texts, normalize, limit=64):
        folder = str(resolve(name).folder)
        model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder)
        vectors = []
        with torch.no_grad():
            for text in texts:
                coded = tokenizer(text, truncation=True, max_length=limit, return_tensors="pt")
                hidden = model(**coded).last_hidden_state[0]
                vectors.append(hidden.mean(0))
        found = torch.stack(vectors)
        return (torch.nn.functional.normalize(found, dim=1) if normalize else found).numpy()

    return encode


def vectors(backbone, inputs, exact=True, **encoding):
    how = Encoding(**{"max_length": 64, **encoding})
    return backbone.features(backbone.tokens(inputs, how), how, exact=exact)


def pieces(lengths, seed=0):
    rng = np.random.default_rng(seed)
    return [(Piece(tuple(rng.integers(1000, 20_000, length).tolist())),) for length in lengths]


def resumed_at(backbone, batch, cut, hidden):
    with backbone.starting_at(cut, hidden):
        return backbone.body(**batch.inputs).last_hidden_state


# --- against plain transformers ---------------------------------------------------------------


@pytest.mark.parametrize("exact", [True, False])
def test_vectors_of_minilm_are_those_of_plain_transformers(minilm, plain, texts, exact):
    expected = plain("minilm", texts, normalize=True)
    np.testing.assert_allclose(vectors(minilm, texts, exact), expected, atol=1e-5)


def test_vectors_of_e5_are_those_of_plain_transformers_with_its_prefix(e5, plain, texts):
    some = texts[::3]
    expected = plain("e5-small", ["query: " + text for text in some], normalize=True)
    np.testing.assert_allclose(vectors(e5, some), expected, atol=1e-5)


def test_smollm2_is_read_at_the_last_token_of_each_text(smollm2, texts):
    import torch

    some = texts[:12:3]
    found = vectors(smollm2, some, max_length=24)
    for text, vector in zip(some, found):
        ((piece,),) = smollm2.tokens([text], Encoding(max_length=24))
        with torch.no_grad():
            hidden = smollm2.body(input_ids=torch.tensor([piece.ids])).last_hidden_state
        np.testing.assert_allclose(vector, hidden[0, -1].numpy(), atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_another_pooling_can_be_asked_for(minilm, texts, pooling):
    import torch

    text = texts[10]
    ((piece,),) = minilm.tokens([text], Encoding(max_length=64))
    with torch.no_grad():
        hidden = minilm.model(input_ids=torch.tensor([piece.ids])).last_hidden_state[0]
    read = {"mean": hidden.mean(0), "cls": hidden[0], "last": hidden[-1]}[pooling]
    expected = torch.nn.functional.normalize(read, dim=0).numpy()
    np.testing.assert_allclose(vectors(minilm, [text], pooling=pooling)[0], expected, atol=1e-5)


def test_a_chunked_text_is_the_mean_of_its_chunks(minilm, texts):
    text = texts[-1]
    how = Encoding(max_length=32, long_text="chunk")
    (chunks,) = minilm.tokens([text], how)
    each = minilm.features([(chunk,) for chunk in chunks], how)
    assert len(chunks) > 5
    np.testing.assert_allclose(minilm.features([chunks], how)[0], each.mean(0), atol=1e-6)


def test_a_model_that_is_stored_in_half_precision_runs_in_full(tiny_folder, tmp_path):
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = tmp_path / "half"
    half = AutoModel.from_pretrained(str(tiny_folder("bert")), dtype=torch.float16)
    half.save_pretrained(folder)
    AutoTokenizer.from_pretrained(str(tiny_folder("bert"))).save_pretrained(folder)
    backbone = ENGINE.open(BackboneRef("half", "transformers", folder), device="cpu", threads=None)
    assert {p.dtype for p in backbone.model.parameters()} == {torch.float32}
    whole = half.float().eval()
    ((piece,),) = backbone.tokens(["a good film"], Encoding())
    with torch.no_grad():
        expected = whole(input_ids=torch.tensor([piece.ids])).last_hidden_state[0].mean(0)
    np.testing.assert_allclose(vectors(backbone, ["a good film"])[0], expected.numpy(), atol=1e-5)


# --- whatever stands beside -------------------------------------------------------------------


def test_an_exact_vector_has_the_same_bits_whatever_stands_beside_it(minilm, texts):
    together = vectors(minilm, texts)
    np.testing.assert_array_equal(vectors(minilm, texts[::-1])[::-1], together)
    alone = np.concatenate([vectors(minilm, [text]) for text in texts])
    np.testing.assert_array_equal(alone, together)
    among = vectors(minilm, [*ODD, *texts[5:9], *ODD])
    np.testing.assert_array_equal(among[len(ODD) : len(ODD) + 4], together[5:9])


@pytest.mark.parametrize("width", [width for width in WIDTHS if width <= 128])
def test_bits_do_not_tell_whether_the_neighbours_are_padded(minilm, width):
    # A batch without padding takes another path through attention than one with some.
    full, short = pieces([width]), pieces([max(1, width - 3)] * 16, seed=1)
    others = pieces([width] * 16, seed=2)
    alone = minilm.features(full, Encoding())[0]
    for neighbours in (short, others, [*short, *others]):
        np.testing.assert_array_equal(minilm.features([*full, *neighbours], Encoding())[0], alone)


def test_sorted_batches_give_the_same_vectors_but_for_rounding(minilm, e5, texts):
    for backbone in (minilm, e5):
        inputs = [*texts, *ODD]
        exact, quick = vectors(backbone, inputs), vectors(backbone, inputs, exact=False)
        assert np.abs(exact - quick).max() < 1e-5 * np.abs(exact).max() * 10
        np.testing.assert_allclose(quick, exact, atol=1e-5)


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "t5", "gpt2", "llama"])
def test_texts_of_every_length_up_to_the_longest_can_be_read(tiny, family):
    backbone = tiny(family)
    most = min(backbone.offer.max_length, 66)
    inputs = [" ".join(["good", "film"] * 40)[: 5 * n] for n in range(most)]
    found = vectors(backbone, [*inputs, *ODD], max_length=most)
    assert found.shape == (len(inputs) + len(ODD), 32)
    assert np.isfinite(found).all()
    quick = vectors(backbone, [*inputs, *ODD], exact=False, max_length=most)
    np.testing.assert_allclose(quick, found, atol=1e-5)


def test_odd_texts_have_finite_vectors(minilm, smollm2):
    for backbone in (minilm, smollm2):
        found = vectors(backbone, ODD)
        assert found.dtype == np.float32
        assert np.isfinite(found).all()


def test_nothing_asked_is_nothing_answered(minilm):
    assert vectors(minilm, []).shape == (0, 384)
    assert vectors(minilm, [], exact=False).shape == (0, 384)


# --- between blocks ---------------------------------------------------------------------------


def apart(backbone, lengths, cut):
    """The largest difference, relative, of resuming at ``cut`` and of the whole model."""
    import torch

    rng = np.random.default_rng(2)
    top = min(20_000, backbone.model.config.vocab_size)
    some = [Piece(tuple(rng.integers(4, top, length).tolist())) for length in lengths]
    batch = backbone.tensors(some, len(some), max(lengths))
    with torch.no_grad():
        whole = backbone.body(**batch.inputs).last_hidden_state
        resumed = resumed_at(backbone, batch, cut, backbone.entering(batch, cut))
    real = batch.mask.bool()
    return float((whole - resumed)[real].abs().max() / whole[real].abs().max())


def test_resuming_at_any_block_of_minilm_is_the_whole_model(minilm):
    assert max(apart(minilm, [3, 17, 20], cut) for cut in range(6)) < 1e-5


def test_resuming_at_any_block_of_e5_is_the_whole_model(e5):
    assert max(apart(e5, [3, 9], cut) for cut in range(12)) < 1e-5


def test_resuming_at_blocks_of_smollm2_is_the_whole_model(smollm2):
    assert max(apart(smollm2, [3, 9], cut) for cut in (0, 1, 15, 29)) < 1e-5


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "gpt2", "llama"])
def test_resuming_at_any_block_is_the_whole_model(tiny, family):
    assert max(apart(tiny(family), [1, 5, 11], cut) for cut in range(4)) < 1e-5
    assert all(tiny(family).resumes(cut) for cut in range(4))


def test_blocks_of_t5_get_the_positions_that_the_first_one_makes(tiny):
    assert max(apart(tiny("t5"), [1, 5, 11], cut) for cut in range(4)) < 1e-5
    assert all(tiny("t5").resumes(cut) for cut in range(4))


def test_where_later_blocks_need_the_first_resuming_is_found_not_to_work(tiny_folder, monkeypatch):
    ref = BackboneRef("t5", "transformers", tiny_folder("t5"))
    t5 = ENGINE.open(ref, device="cpu", threads=None)
    monkeypatch.setattr(cutting, "_positions_lent", lambda *_: nullcontext())
    assert t5.resumes(0)
    assert not t5.resumes(2)
    assert apart(t5, [1, 5, 11], 2) > 1e-3


def test_activations_enter_the_cut_as_in_the_whole_model(minilm, texts):
    some = [pieces[0] for pieces in minilm.tokens(texts[:8], Encoding(max_length=32))]
    import torch

    found = minilm.activations(some, 3)
    for piece, states in zip(some, found):
        with torch.no_grad():
            ids = torch.tensor([piece.ids])
            hidden = minilm.model(input_ids=ids, output_hidden_states=True).hidden_states[3][0]
        assert states.shape == (len(piece.ids), 384)
        np.testing.assert_allclose(states, hidden.numpy(), atol=2e-5)


def test_activations_have_the_same_bits_whatever_stands_beside_them(minilm, texts):
    some = [pieces[0] for pieces in minilm.tokens(texts, Encoding(max_length=32))]
    together = minilm.activations(some, 3)
    for at in (0, 7, 23):
        np.testing.assert_array_equal(minilm.activations([some[at]], 3)[0], together[at])


# --- the shared weights -----------------------------------------------------------------------


def hooks(backbone):
    return sum(len(m._forward_pre_hooks) + len(m._forward_hooks) for m in backbone.model.modules())


def test_encoding_and_resuming_leave_the_model_as_it_was(minilm, texts):
    before, names = minilm.fingerprint(), [name for name, _ in minilm.model.named_modules()]
    blocks, hooked = minilm.blocks, hooks(minilm)
    vectors(minilm, texts[:4])
    apart(minilm, [3, 5], 4)
    assert minilm.fingerprint() == before
    assert [name for name, _ in minilm.model.named_modules()] == names
    assert minilm.blocks is blocks
    assert hooks(minilm) == hooked


@pytest.mark.parametrize("running", ["entering", "resume"])
def test_a_failure_inside_a_block_leaves_the_model_as_it_was(minilm, running):
    before, blocks, hooked = minilm.fingerprint(), minilm.blocks, hooks(minilm)
    batch = minilm.tensors([Piece((101, 2000, 102))], 1, 4)
    given = minilm.entering(batch, 1)

    def fail(*_):
        raise KeyboardInterrupt

    handle = minilm.blocks[2].register_forward_pre_hook(fail)
    with pytest.raises(KeyboardInterrupt):
        minilm.entering(batch, 3) if running == "entering" else resumed_at(minilm, batch, 1, given)
    handle.remove()
    assert minilm.blocks is blocks
    assert hooks(minilm) == hooked
    assert minilm.fingerprint() == before


def test_the_weights_hash_is_that_of_the_file(minilm):
    import hashlib

    path = minilm.ref.folder / "model.safetensors"
    assert minilm.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_fingerprint_tells_one_changed_number(tiny_folder):
    import torch

    folder = tiny_folder("bert")
    opened = [
        ENGINE.open(BackboneRef("b", "transformers", folder), device="cpu", threads=None)
        for _ in range(2)
    ]
    assert opened[0].fingerprint() == opened[1].fingerprint()
    with torch.no_grad():
        next(opened[1].model.parameters())[0, 0] += 1e-6
    assert opened[0].fingerprint() != opened[1].fingerprint()


def test_a_thread_never_meets_the_tuned_numbers_of_another(tiny):
    import torch

    backbone = tiny("bert")
    expected = vectors(backbone, ["a good film"])
    tunable = backbone.inject(Injection("unfreeze", None, {}), seed=0)
    found, entered = [], threading.Event()

    def encode():
        entered.wait(10)
        found.append(vectors(backbone, ["a good film"]))

    other = threading.Thread(target=encode)
    other.start()
    with tunable, torch.no_grad():
        for parameter in tunable.parameters():
            parameter.mul_(0.5)
        entered.set()
        other.join(0.3)
        assert found == []  # it waits
        assert not np.array_equal(vectors(backbone, ["a good film"]), expected)
    other.join(10)
    np.testing.assert_array_equal(found[0], expected)
