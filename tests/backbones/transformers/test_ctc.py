"""Encoders with a CTC head that write down speech, held to transformers' own run.

No such weights are at hand: tiny random models show the arithmetic.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import tiny_listeners
from tests.data.sounds.conftest import melody, recording

from supertune import registry
from supertune.backbones.transformers import ENGINE, declared
from supertune.config import Recipe, method_options
from supertune.contracts import BackboneRef, Clip, Injection, Listening
from supertune.data.sounds.decoding import waveform
from supertune.errors import InputError
from supertune.training import worded

SAID = ("agent logged in", "good bye")
SOUNDS = tuple(
    recording(melody(seed, length), f"{seed}.wav") for seed, length in enumerate((1.4, 0.9))
)


def opened(folder: Path) -> Any:
    return ENGINE.open(BackboneRef(folder.name, "transformers", folder), device="cpu", threads=1)


@pytest.fixture(scope="module", params=["Wav2Vec2", "Hubert", "WavLM"])
def backbone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp(request.param) / "tiny-random-ctc"
    return opened(tiny_listeners.ctc(folder, request.param))


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return opened(tiny_listeners.ctc(tmp_path_factory.mktemp("one") / "tiny-random-ctc"))


def clips(backbone: Any) -> list[Clip]:
    return [Clip(sound, 0.0, backbone.seconds(sound), 10.0) for sound in SOUNDS]


def theirs(backbone: Any, number: int) -> tuple[Any, Any]:
    """A model that plain transformers opens itself, and what its extractor makes of a recording."""
    import torch
    from transformers import AutoFeatureExtractor, AutoModelForCTC

    extractor = AutoFeatureExtractor.from_pretrained(backbone.ref.folder)
    model = AutoModelForCTC.from_pretrained(backbone.ref.folder).eval()
    given = extractor(waveform(SOUNDS[number]), sampling_rate=16000, return_tensors="pt")
    with torch.inference_mode():
        return model, given.input_values


def test_a_folder_with_a_head_offers_to_write_and_one_without_does_not(
    backbone: Any, tmp_path: Path
) -> None:
    assert "transcribe" in backbone.offer.capabilities
    assert (backbone.offer.family, backbone.offer.decoder_depth) == ("encoder", 0)
    bare = declared.offer(tiny_listeners.wav2vec2(tmp_path / "bare"))
    assert "transcribe" not in bare.capabilities


def test_texts_are_those_of_transformers(backbone: Any) -> None:
    import torch
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(backbone.ref.folder)
    depth = backbone.offer.depth
    kept = backbone.activations(clips(backbone), depth)
    found = backbone.written(
        backbone.states(kept, depth), clips(backbone), ["", ""], Listening(guard=False)
    )
    for place, said in enumerate(found):
        model, values = theirs(backbone, place)
        with torch.inference_mode():
            tokens = model(values).logits.argmax(dim=-1)
        wanted = re.sub("<s>|</s>|<unk>", "", tokenizer.batch_decode(tokens)[0])
        assert said.text == " ".join(wanted.split())
        assert said.text


@pytest.mark.parametrize("cut", [0, 1, 3])
def test_losses_are_those_of_transformers_wherever_a_run_begins(backbone: Any, cut: int) -> None:
    import torch

    texts = [backbone.spelled(text) for text in SAID]
    kept = backbone.activations(clips(backbone), cut)
    assert all(array.shape[1] == (32 if cut else 1) for array in kept)
    with torch.inference_mode():
        sums, counts = backbone.losses(backbone.states(kept, cut), texts, "")
        for place, text in enumerate(texts):
            model, values = theirs(backbone, place)
            loss = model(values, labels=torch.tensor([text])).loss
            assert float(sums[place]) == pytest.approx(float(loss), rel=1e-5)
    assert counts.tolist() == [len(text) for text in texts]


def test_upper_blocks_get_the_gradients_of_the_whole_model(one: Any) -> None:
    import torch

    text = one.spelled(SAID[0])
    model, values = theirs(one, 0)
    model(values, labels=torch.tensor([text])).loss.backward()
    injection = Injection("unfreeze", (2,), {"only": "all"})
    tunable = one.inject(injection, seed=0)
    kept = one.activations(clips(one)[:1], 2)
    wanted = dict(model.named_parameters())
    with tunable:
        sums, _ = one.losses(one.states(kept, 2), [text], "")
        sums.sum().backward()
        for name, tensor in tunable.named().items():
            np.testing.assert_allclose(tensor.grad, wanted[name].grad, rtol=1e-3, atol=1e-5)
    assert kept[0].shape[1] == 32


def test_samples_are_kept_where_no_run_could_go_on(
    one: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = [one.spelled(SAID[0])]
    losses = []
    for goes_on in (True, False):
        monkeypatch.setitem(one._goes_on, 1, goes_on)
        kept = one.activations(clips(one)[:1], 1)
        assert (kept[0].shape[1] == 1) is not goes_on
        losses.append(float(one.losses(one.states(kept, 1), text, "")[0]))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_recordings_are_read_for_other_tasks_as_by_any_encoder(backbone: Any) -> None:
    from supertune.contracts import Encoding

    pieces = backbone.tokens(SOUNDS, Encoding())
    vectors = backbone.features(pieces, Encoding())
    states = backbone.activations([part for each in pieces for part in each], 1)
    assert vectors.shape == (2, 32)
    assert states[0].shape[1] == 32
    assert backbone.resumes(1)


@pytest.mark.parametrize("name", ["adapter", "ia3"])
def test_small_parts_of_its_blocks_get_gradients(one: Any, name: str) -> None:
    recipe = Recipe(task="speech_to_text", method=name)
    method: Any = registry.method(name)
    injection = worded.injected(method, one.offer, method_options(recipe, name))
    assert injection.blocks == (1, 2)
    tunable = one.inject(injection, seed=0)
    with tunable:
        states = one.states(one.activations(clips(one)[:1], 1), 1)
        one.losses(states, [one.spelled(SAID[0])], "")[0].sum().backward()
        assert any(float(tensor.grad.abs().max()) > 0 for tensor in tunable.parameters())
    assert one.fingerprint() == opened(one.ref.folder).fingerprint()


def test_a_clip_has_the_same_states_whatever_is_beside_it(one: Any) -> None:
    together, alone = one.activations(clips(one), 1), one.activations(clips(one)[1:], 1)
    np.testing.assert_array_equal(together[1], alone[0])


def test_smoothing_spreads_a_share_over_the_vocabulary(one: Any) -> None:
    import torch

    texts, states = [one.spelled(SAID[0])], one.states(one.activations(clips(one)[:1], 3), 3)
    with torch.inference_mode():
        plain, smooth = (float(one.losses(states, texts, "", share)[0]) for share in (0.0, 0.5))
        mean = float(one._chances(states.arrays[0], 3).mean())
    assert smooth == pytest.approx(0.5 * plain - 0.5 * len(texts[0]) * mean, rel=1e-5)


def test_texts_are_spelled_in_letters_that_are_known(one: Any) -> None:
    words = one.characters
    assert words.text(words.spelled("Don\u2019t, re-read: ABC!")) == "DON'T RE READ ABC"
    assert words.spelled("  ") == []
    with pytest.raises(InputError, match="cannot write") as caught:
        words.spelled("Gate 7, Stra\u00dfe")
    assert caught.value.code == "characters_unknown"
    assert "7" in str(caught.value.received)
    assert "\u00df" in str(caught.value.received)


def test_repeats_are_one_letter_unless_a_blank_stands_between(one: Any) -> None:
    import torch

    from supertune.backbones.transformers.speech import collapsing

    words = one.characters
    a, space, b = words.spelled("a b")
    path = [0, a, a, 0, a, space, space, *[0] * 60, b, b, 0]
    chances = torch.log_softmax(torch.nn.functional.one_hot(torch.tensor(path), 32) * 9.0, dim=1)
    clip = Clip(SOUNDS[0], 5.0, 0.02 * len(path), 10.0)
    how = Listening(timestamps=True, guard=False)
    said = collapsing.told(chances, clip, words, how, "")
    assert said.text == "AA B"
    assert [(one.start, one.end, one.text) for one in said.segments] == [
        (5.02, 5.1, "AA"),
        (6.34, 6.38, "B"),
    ]
    assert -0.1 < said.surety < 0


def test_what_greedy_decoding_cannot_do_is_refused(one: Any) -> None:
    states = one.states(one.activations(clips(one)[:1], 3), 3)
    asked = {"beams": 2, "hints": ("Zoiper",), "domain_text": ("Hang up.",)}
    for option, value in asked.items():
        with pytest.raises(InputError) as caught:
            one.written(states, clips(one)[:1], [""], Listening(**{option: value}))
        assert caught.value.code == f"{option}_unsupported"


def test_a_text_that_no_moments_could_hold_is_refused(one: Any) -> None:
    states = one.states(one.activations(clips(one)[:1], 3), 3)
    with pytest.raises(InputError, match="moments") as caught:
        one.losses(states, [one.spelled("all of this " * 40)], "")
    assert caught.value.code == "transcript_too_long"


def test_silence_is_left_out_by_the_guard(one: Any) -> None:
    quiet = recording(np.zeros(16_000, dtype=np.float32), "quiet.wav")
    clip = Clip(quiet, 0.0, 1.0, 10.0)
    states = one.states(one.activations([clip], 3), 3)
    assert one.written(states, [clip], [""], Listening())[0].doubts == ("silence",)


def test_tokens_that_are_no_letters_are_refused(tmp_path: Path) -> None:
    folder = tiny_listeners.ctc(tmp_path / "odd", depth=1)
    text = (folder / "vocab.json").read_text("utf-8")
    for letter in map(chr, range(ord("A"), ord("Z") + 1)):
        text = text.replace(f'"{letter}"', f'"{letter}{letter}"')
    (folder / "vocab.json").write_text(text, "utf-8")
    with pytest.raises(InputError, match="no characters") as caught:
        _ = opened(folder).characters
    assert caught.value.code == "tokenizer_unreadable"
