"""Whisper as supertune runs it, held to transformers' own run on real prompts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from supertune.backbones.transformers import ENGINE
from supertune.backbones.transformers.speech import guarding
from supertune.backbones.transformers.speech.rules import Rules
from supertune.catalogue.corpora import dataset
from supertune.catalogue.resolve import resolve
from supertune.contracts import BackboneRef, Clip, Injection, Listening, Recording
from supertune.errors import InputError

DECODER = 6
# Prompts of a few words each, and what they say.
SAID = {
    "agent-loginok.wav": "Agent logged in.",
    "conf-onlyperson.wav": "You are currently the only person in this conference.",
    "vm-goodbye.wav": "Goodbye",
}


@pytest.fixture(scope="module")
def backbone(own_activations: Path) -> Any:
    ref = BackboneRef("whisper-base", "transformers", resolve("whisper-base").folder)
    return ENGINE.open(ref, device="cpu", threads=1)


@pytest.fixture(scope="module")
def recordings() -> list[Recording]:
    folder = dataset("prompts-en")
    return [Recording.of((folder / name).read_bytes(), name) for name in SAID]


@pytest.fixture(scope="module")
def clips(backbone: Any, recordings: list[Recording]) -> list[Clip]:
    return [Clip(one, 0.0, backbone.seconds(one), 6.0) for one in recordings]


@pytest.fixture(scope="module")
def states(backbone: Any, clips: list[Clip]) -> Any:
    return backbone.states(backbone.activations(clips, DECODER), DECODER)


def test_spectra_are_those_of_the_feature_extractor(backbone: Any, recordings: Any) -> None:
    from transformers import WhisperFeatureExtractor

    from supertune.data.sounds.decoding import waveform

    extractor = WhisperFeatureExtractor.from_pretrained(backbone.ref.folder)
    whole = Clip(recordings[0], 0.0, backbone.seconds(recordings[0]), 30.0)
    theirs = extractor(waveform(recordings[0]), sampling_rate=16000).input_features[0]
    np.testing.assert_allclose(backbone.read(whole).T, theirs, atol=2e-4)


def test_a_clip_has_the_same_states_whatever_is_beside_it(backbone: Any, clips: Any) -> None:
    together = backbone.activations(clips, DECODER)
    backbone._held.clear()
    alone = backbone.activations(clips[1:2], DECODER)[0]
    np.testing.assert_array_equal(alone, together[1])
    assert alone.shape == (300, 512)


def test_the_loss_is_that_of_transformers(backbone: Any, states: Any, clips: Any) -> None:
    import torch
    from transformers.modeling_outputs import BaseModelOutput

    texts = [backbone.spelled(text) for text in SAID.values()]
    with torch.inference_mode():
        sums, counts = backbone.losses(states, texts, "en")
        for row, text in enumerate(texts):
            prompt = backbone.vocabulary.prompt("en")
            labels = torch.tensor([[-100] * (len(prompt) - 1) + text])
            given = torch.tensor([[*prompt, *text[:-1]]])
            found = backbone.model(
                encoder_outputs=BaseModelOutput(last_hidden_state=states[row : row + 1]),
                decoder_input_ids=given,
            )
            theirs = torch.nn.functional.cross_entropy(found.logits[0], labels[0])
            assert float(sums[row] / counts[row]) == pytest.approx(float(theirs), abs=1e-5)
    assert counts.tolist() == [len(text) for text in texts]


@pytest.mark.parametrize("beams", [1, 3])
def test_it_writes_down_real_prompts(backbone: Any, states: Any, clips: Any, beams: int) -> None:
    how = Listening(beams=beams)
    found = backbone.written(states, clips, ["en"] * len(clips), how)
    assert [one.text.rstrip(".") for one in found] == [one.rstrip(".") for one in SAID.values()]
    alone = backbone.written(states[1:2], clips[1:2], ["en"], how)[0]
    assert alone.text == found[1].text
    assert alone.surety == pytest.approx(found[1].surety, abs=1e-4)


def test_the_language_is_heard_and_an_unknown_one_refused(backbone: Any, states: Any) -> None:
    assert backbone.heard(states)[1] == "en"
    with pytest.raises(InputError, match="Did you mean") as caught:
        backbone.vocabulary.prompt("frr")
    assert caught.value.code == "unknown_language"


def test_a_transcript_that_no_decoder_could_write_is_refused(backbone: Any) -> None:
    with pytest.raises(InputError, match="longer than") as caught:
        backbone.spelled("word " * 400)
    assert caught.value.code == "transcript_too_long"


def test_times_are_in_order_and_inside_the_clip(backbone: Any, states: Any, clips: Any) -> None:
    found = backbone.written(states, clips, ["en"] * 3, Listening(timestamps=True))
    for one, clip in zip(found, clips, strict=True):
        times = [time for piece in one.segments for time in (piece.start, piece.end)]
        assert times == sorted(times)
        assert 0 <= times[0] < times[-1] <= clip.end + 1e-3
    assert found[1].segments[0].text.startswith("You are")


def test_hints_raise_the_tokens_that_go_on_with_them(backbone: Any) -> None:
    import torch

    words = backbone.vocabulary
    hint = words.plain(" Zoiper")
    assert len(hint) > 1
    rules = Rules(words, Listening(hints=("Zoiper",), bias=3.0))
    plain = Rules(words, Listening())
    nothing = torch.zeros(1, 51865)
    raised = rules.allowed(nothing, [[hint[0]]]) - plain.allowed(nothing, [[hint[0]]])
    raised = torch.nan_to_num(raised)
    assert float(raised[0, hint[1]]) == pytest.approx(3.0)
    assert float(raised[0, hint[0]]) == pytest.approx(1.5)
    assert int((raised != 0).sum()) == 2


def test_what_repeats_itself_is_written_once() -> None:
    assert guarding.unrepeated([1, 2, 3] * 9 + [4]) == ([1, 2, 3, 4], True)
    assert guarding.unrepeated([7] * 8) == ([7], True)
    kept = [5, 5, 5, 6, 1, 2, 1, 2, 1, 2]
    assert guarding.unrepeated(kept) == (kept, False)


def test_a_text_that_found_no_end_loses_what_it_begins_again_with() -> None:
    said = [5, 6, 7, 8, 9]
    assert guarding.unrepeated([*said, 5, 6], ended=False) == (said, True)
    assert guarding.unrepeated([*said, 5, 6]) == ([*said, 5, 6], False)
    assert guarding.unrepeated(said, ended=False) == (said, False)


def test_silence_is_no_text(backbone: Any) -> None:
    import io

    import soundfile

    stream = io.BytesIO()
    soundfile.write(stream, np.zeros(32000, dtype=np.float32), 16000, format="WAV")
    clip = Clip(Recording.of(stream.getvalue(), "silence.wav"), 0.0, 2.0, 6.0)
    states = backbone.states(backbone.activations([clip], DECODER), DECODER)
    (found,) = backbone.written(states, [clip], ["en"], Listening())
    assert (found.text, found.doubts) == ("", ("silence",))


def test_texts_of_a_field_move_likelihood_among_words_alone(backbone: Any) -> None:
    import torch

    words = backbone.vocabulary
    told = ("Press pound to hang up.", "Press star to hang up.")
    asked = Listening(domain_text=told, domain_weight=0.5, timestamps=True)
    rules, plain = Rules(words, asked), Rules(words, Listening(timestamps=True))
    press, pound = words.plain(" Press pound")[:2]
    given = torch.randn(1, 51865, generator=torch.Generator().manual_seed(0))
    given[0, words.first_time :] -= 20  # a word comes next, not a time
    times = [words.first_time, press]
    before, after = (one.allowed(given, [times])[0] for one in (plain, rules))
    assert torch.equal(torch.isinf(before), torch.isinf(after))
    rest = torch.isfinite(before)
    rest[: words.end] = False
    assert torch.equal(before[rest], after[rest])
    whole = [torch.logsumexp(one[: words.end], dim=0) for one in (before, after)]
    assert float(whole[0]) == pytest.approx(float(whole[1]), abs=1e-4)
    gained = (after - before)[: words.end]
    assert int(torch.nan_to_num(gained, -9.0).argmax()) in (pound, words.plain(" Press star")[1])


def test_texts_of_a_field_change_what_is_written(backbone: Any, states: Any, clips: Any) -> None:
    plain = backbone.written(states, clips, ["en"] * 3, Listening())
    told = tuple(one.text.replace("You are", "Thou art") for one in plain)
    how = Listening(domain_text=told, domain_weight=2.0)
    assert "Thou art" in backbone.written(states, clips, ["en"] * 3, how)[1].text
    off = Listening(domain_text=told, domain_weight=0.0)
    assert backbone.written(states, clips, ["en"] * 3, off) == plain


@pytest.mark.parametrize("kind", ["LORA", "unfreeze", "IA3", "adapter", "decoder_prompts"])
def test_tuning_takes_a_step_and_leaves_the_weights_as_they_were(
    backbone: Any, states: Any, kind: str
) -> None:
    import torch

    before = backbone.fingerprint()
    settings: dict[str, Any] = {"LORA": {"r": 4}, "unfreeze": {"only": "biases"}}.get(kind, {})
    settings = {"tokens": 3} if kind == "decoder_prompts" else settings
    tunable = backbone.inject(Injection(kind, (10, 11), settings), seed=0)
    assert not tunable.from_input
    texts = [backbone.spelled(text) for text in SAID.values()]
    with tunable:
        tunable.training(True)
        optimizer = torch.optim.SGD(tunable.parameters(), lr=0.05)
        losses = []
        for _ in range(2):
            sums, counts = backbone.losses(states, texts, "en")
            loss = sums.sum() / counts.sum()
            losses.append(float(loss.detach()))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        tunable.training(False)
    assert losses[1] < losses[0]
    assert tunable.tuned_parameters > 0
    assert backbone.fingerprint() == before


def test_prompts_of_a_decoder_are_read_with_and_without_kept_keys(
    backbone: Any, states: Any, clips: Any
) -> None:
    import torch

    tunable = backbone.inject(Injection("decoder_prompts", (8, 11), {"tokens": 3}), seed=0)
    plain = backbone.written(states[:1], clips[:1], ["en"], Listening())[0]
    with tunable:
        assert {n: tuple(p.shape) for n, p in tunable.named().items()} == {
            "decoder_prompts.8": (3, 512),
            "decoder_prompts.11": (3, 512),
        }
        with torch.no_grad():
            for prompt in tunable.parameters():
                prompt.mul_(20)
        found = backbone.written(states[:1], clips[:1], ["en"], Listening())[0]
        texts = [backbone.spelled(found.text)]
        with torch.no_grad():
            sums, counts = backbone.losses(states[:1], texts, "en")
    # Token by token over kept keys, and all at once, these are the same likelihoods.
    assert found.surety == pytest.approx(-float(sums[0] / counts[0]), abs=1e-4)
    assert found.surety != pytest.approx(plain.surety, abs=1e-4)
    with pytest.raises(InputError) as caught:
        backbone.inject(Injection("decoder_prompts", (2,), {"tokens": 3}), seed=0)
    assert caught.value.code == "prompts_unsupported"


def test_an_encoder_that_is_tuned_is_run_from_the_sound(backbone: Any, clips: Any) -> None:
    import torch

    tunable = backbone.inject(Injection("LORA", (4, 5), {"r": 2}), seed=0)
    spectra = backbone.activations(clips[:1], 0)
    assert spectra[0].shape == (600, 80)
    with tunable:
        with torch.no_grad():
            for tensor in tunable.parameters():
                tensor.add_(0.05)
        states = backbone.states(spectra, 0)
        sums, _ = backbone.losses(states, [backbone.spelled("Agent logged in.")], "en")
        sums.sum().backward()
        assert all(one.grad is not None for one in tunable.parameters())
        tuned = states.detach().clone()
    plain = torch.from_numpy(backbone.activations(clips[:1], DECODER)[0])
    assert float((tuned[0] - plain).abs().max()) > 1e-2
