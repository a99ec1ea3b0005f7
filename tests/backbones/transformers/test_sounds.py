"""Encoders of recordings through the engine: what they are called with, pooled and cut."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests import tiny_listeners
from tests.data.sounds.conftest import melody, recording

from supertune import registry
from supertune.backbones.transformers.model import TransformersBackbone
from supertune.contracts import BackboneRef, Encoding, Injection, Recording
from supertune.data.sounds import decoding, varying

KINDS = (tiny_listeners.wav2vec2, tiny_listeners.hubert, tiny_listeners.ast, tiny_listeners.whisper)
SOUNDS = tuple(
    recording(melody(seed, length), f"{seed}.wav") for seed, length in enumerate((0.4, 0.9, 0.6))
)


def opened(folder: Path) -> TransformersBackbone:
    ref = BackboneRef(folder.name, "transformers", folder)
    offer = registry.engine("transformers").offers(ref)
    return TransformersBackbone(ref, offer, device="cpu", threads=1)


@pytest.fixture(scope="module", params=KINDS, ids=lambda one: one.__name__)
def backbone(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> TransformersBackbone:
    make: Callable[[Path], Path] = request.param
    return opened(make(tmp_path_factory.mktemp(make.__name__) / make.__name__))


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> TransformersBackbone:
    return opened(tiny_listeners.whisper(tmp_path_factory.mktemp("whisper") / "whisper"))


def test_what_a_folder_offers_is_read_from_its_files(backbone: TransformersBackbone) -> None:
    offer = backbone.offer
    assert {"features", "blocks", "layers", "linears", "biases", "torch"} <= offer.capabilities
    assert (offer.modality, offer.width, offer.depth) == ("audio", 32, 3)


def test_a_vector_does_not_depend_on_the_rows_beside_it(backbone: TransformersBackbone) -> None:
    encoding = Encoding()
    whole = backbone.features(backbone.tokens(SOUNDS, encoding), encoding)
    alone = backbone.features(backbone.tokens(SOUNDS[1:2], encoding), encoding)
    assert np.array_equal(whole[1:2], alone)
    assert whole.shape == (3, 32)
    assert np.ptp(whole, axis=0).max() > 0


def test_all_layers_in_one_pass_are_what_each_layer_gives(backbone: TransformersBackbone) -> None:
    pieces = backbone.tokens(SOUNDS, Encoding())
    readings = backbone.layered.readings(pieces)
    for encoding in (Encoding(), Encoding(layer=2), Encoding(layer=1, pooling="max")):
        picked = backbone.layered.picked(readings, encoding)
        assert np.array_equal(picked, backbone.features(pieces, encoding))


def test_a_recording_read_in_parts_has_one_reading_of_all_layers(
    whisper: TransformersBackbone,
) -> None:
    rows = (recording(melody(7, 40.0)), SOUNDS[0])
    pieces = whisper.tokens(rows, Encoding())
    assert len(pieces[0]) > 1
    readings = whisper.layered.readings(pieces)
    for encoding in (Encoding(), Encoding(layer=2)):
        picked = whisper.layered.picked(readings, encoding)
        assert np.array_equal(picked, whisper.features(pieces, encoding))


def test_a_run_may_begin_at_any_block(backbone: TransformersBackbone) -> None:
    assert all(backbone.resumes(cut) for cut in range(backbone.offer.depth))
    before = backbone.fingerprint()
    blocks = (1, 2)
    tunable = backbone.inject(Injection("unfreeze", blocks), seed=0)
    pieces = [piece for one in backbone.tokens(SOUNDS, Encoding()) for piece in one]
    entering = backbone.activations(pieces, tunable.cut)
    assert len(entering) == 3
    assert entering[0].shape == (len(pieces[0]), 32)
    with tunable:
        assert sum(one.numel() for one in tunable.parameters())
    assert backbone.fingerprint() == before


def test_whisper_reads_its_whole_window_as_transformers_does(
    whisper: TransformersBackbone,
) -> None:
    import torch
    from transformers import WhisperFeatureExtractor

    long = recording(melody(5, 14.0))
    extractor = WhisperFeatureExtractor.from_pretrained(str(whisper.ref.folder))
    samples = decoding.waveform(long)
    with torch.inference_mode():
        mel = extractor(samples, sampling_rate=16_000, return_tensors="pt").input_features
        states = whisper.model.get_encoder()(mel).last_hidden_state[0]
        heard = -(-len(samples) // 320)
        start = torch.tensor([[2]])
        decoder = whisper.model.get_decoder()
        said = decoder(input_ids=start, encoder_hidden_states=states[None]).last_hidden_state[:, -1]
    for pooling, wanted in (("mean", states[:heard].mean(0)), ("decoder", said[0])):
        encoding = Encoding(pooling=pooling)
        found = whisper.features(whisper.tokens([long], encoding), encoding)[0]
        assert np.allclose(found, wanted.numpy(), atol=1e-5)


def test_a_short_window_is_the_beginning_of_the_positions_and_leaves_none_behind(
    whisper: TransformersBackbone,
) -> None:
    (piece,) = whisper.tokens(SOUNDS[:1], Encoding())[0]
    assert (piece.window, len(piece)) == (160_000, 500)
    whisper.features([(piece,)], Encoding())
    body = whisper.body
    assert body.config.max_source_positions == body.embed_positions.num_embeddings == 750


def test_what_no_window_holds_is_read_in_parts_that_count_alike(
    whisper: TransformersBackbone,
) -> None:
    gap = np.zeros(8_000, dtype=np.float32)
    first, second = melody(1, 11.0), melody(2, 9.0)
    long = recording(np.concatenate([first, gap, second]))
    (pieces,) = whisper.tokens([long], Encoding())
    assert len(pieces) == 2
    assert pieces[0].last == pieces[1].first
    assert len(first) <= pieces[0].last <= len(first) + len(gap)
    whole = whisper.features([pieces], Encoding())
    parts = whisper.features([(one,) for one in pieces], Encoding())
    assert np.allclose(whole[0], parts.mean(axis=0), atol=1e-6)


def test_a_view_is_masked_and_always_the_same(whisper: TransformersBackbone) -> None:
    one = SOUNDS[0]
    views = [one, *(varying.varied(one, number) for number in (1, 2))]
    assert all(isinstance(each, Recording) for each in views)
    found = whisper.features(whisper.tokens(views, Encoding()), Encoding())
    whisper.reader.forget()  # type: ignore[attr-defined]
    again = whisper.features(whisper.tokens(views, Encoding()), Encoding())
    assert np.array_equal(found, again)
    assert len({row.tobytes() for row in found}) == 3
