"""Translators of transformers, held to its own `generate` and losses; tiny, taught for a moment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.backbones.transformers.translation.conftest import ASKED, Opened
from tests.tiny_translators import PAIRS, TASK, marian

from supertune.backbones.transformers import ENGINE
from supertune.backbones.transformers.translation import decoding
from supertune.backbones.transformers.translation.model import TranslatorBackbone
from supertune.contracts import BackboneRef, Encoding, Rendering
from supertune.errors import InputError

FAMILIES = tuple(ASKED)
TEXTS = [
    *(source for source, _ in PAIRS[:6]),
    "Open the menu and close the window with the key.",
    "File.",
    "The desktop was found, and the copy of the folder was saved twice with a new key.",
]


@pytest.mark.parametrize("family", FAMILIES)
def test_offers_are_declared_without_reading_a_weight(
    translator_folder: Callable[[str], Path], family: str, tmp_path: Path
) -> None:
    offer = ENGINE.offers(BackboneRef(family, "transformers", translator_folder(family)))
    assert {"translate", "blocks", "torch"} <= offer.capabilities
    assert "aligned" not in offer.capabilities
    assert (offer.depth, offer.decoder_depth, offer.width) == (3, 2, 32)
    assert ("biases" in offer.capabilities) == (family != "t5")
    assert offer.languages == {"marian": ("en", "pt"), "t5": ()}.get(family, ("*",))


def _read(backbone: TranslatorBackbone, family: str) -> Any:
    """What transformers' own tokenizer makes of the texts, padded."""
    tokenizer, before = backbone.tokenizer, TASK if family == "t5" else ""
    if family in ("m2m100", "nllb"):
        tokenizer.src_lang = ASKED[family].source_language
    return tokenizer([before + text for text in TEXTS], padding=True, return_tensors="pt")


def _generated(backbone: TranslatorBackbone, family: str, **how: Any) -> list[tuple[int, ...]]:
    """Tokens of `generate`, without those that begin and end a text."""
    read, forced = _read(backbone, family), {}
    if family in ("m2m100", "nllb"):
        code = {"m2m100": "__pt__", "nllb": "por_Latn"}[family]
        forced = {"forced_bos_token_id": backbone.tokenizer.convert_tokens_to_ids(code)}
    with torch.inference_mode():
        made = backbone.model.generate(**read, **forced, use_cache=True, do_sample=False, **how)
    end, first = backbone.tokenizer.eos_token_id, 1 + len(forced)
    found = [row[first:] for row in made.tolist()]
    return [tuple(row[: row.index(end)] if end in row else row) for row in found]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("beams", [1, 3])
def test_translations_of_a_batch_are_those_of_generate_token_for_token(
    tiny_translator: Opened, family: str, beams: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = tiny_translator(family)
    pair = backbone.translating(ASKED[family])
    pieces = pair.read(TEXTS)
    assert len(set(map(len, pieces))) > 4
    states = pair.states(backbone.activations(pieces, 3), 3)
    noted: list[Any] = []
    monkeypatch.setattr(
        type(pair.sides), "said", lambda _, texts: noted.extend(texts) or [""] * len(texts)
    )
    # As many tokens for each as `generate` has for all of them.
    monkeypatch.setattr(decoding, "ROOM", 30)
    found = pair.translated(states, pieces, Rendering(beams=beams, longest=1e-9))
    longest = 30 + pair.writer.forced
    wanted = _generated(
        backbone, family, max_new_tokens=longest, num_beams=beams, early_stopping=beams > 1
    )
    assert [tuple(one) for one in noted] == wanted
    lengths = {len(one) for one in wanted}
    assert len(lengths) > 2
    assert min(lengths) < 30
    assert all(one.surety <= 0 for one in found)


@pytest.mark.parametrize("family", FAMILIES)
def test_losses_over_kept_states_are_those_of_transformers(
    tiny_translator: Opened, family: str
) -> None:
    """And those from the text on, with the encoder read anew."""
    backbone = tiny_translator(family)
    pair = backbone.translating(ASKED[family])
    sources, targets = TEXTS[:6], [target for _, target in PAIRS[:6]]
    pieces, texts = pair.read(sources), [pair.spelled(text) for text in targets]
    found = []
    for cut in (3, 0):
        sums, counts = pair.losses(pair.states(backbone.activations(pieces, cut), cut), texts)
        found.append(sums.detach())
    assert torch.allclose(found[0], found[1], rtol=1e-5)
    longest = max(map(len, texts)) + pair.writer.forced
    labels = torch.full((len(texts), longest), -100)
    begun = torch.tensor([pair.writer.start[:1]] * len(texts))  # type: ignore[attr-defined]
    for row, text in enumerate(texts):
        whole = [*pair.sides.forced, *text]
        labels[row, : len(whole)] = torch.tensor(whole)
    given = torch.cat([begun, labels[:, :-1].clamp(min=0)], dim=1)
    read = {name: value[:6] for name, value in _read(backbone, family).items()}
    with torch.inference_mode():
        logits = backbone.model(**read, decoder_input_ids=given).logits
    chances = torch.log_softmax(logits, dim=-1)[:, pair.writer.forced :]
    for row, text in enumerate(texts):
        own = -chances[row, range(len(text)), text].sum()
        assert float(found[0][row]) == pytest.approx(float(own), rel=1e-5)
    assert counts.tolist() == [len(text) for text in texts]


@pytest.mark.parametrize("family", FAMILIES)
def test_sources_are_read_as_transformers_tokenizer_reads_them(
    tiny_translator: Opened, family: str
) -> None:
    backbone = tiny_translator(family)
    pieces = backbone.translating(ASKED[family]).read(TEXTS)
    read = _read(backbone, family)
    for piece, ids, mask in zip(pieces, read["input_ids"], read["attention_mask"], strict=True):
        assert list(piece.ids) == ids[mask.bool()].tolist()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_text_has_no_marks_in_it_and_its_words_know_their_places(
    tiny_translator: Opened, family: str
) -> None:
    backbone = tiny_translator(family)
    pair = backbone.translating(ASKED[family])
    (piece,) = pair.read(["Open </s> file."])
    assert piece.ids.count(pair.sides.end) == 1
    text = "Open the window."
    spans, ids = pair.spans(text), pair.read([text])[0].ids
    assert len(spans) == len(ids) - 1
    answer = "Escolha a cópia da configuração."
    found = pair.spans(answer, answer=True)
    assert len(found) == len(pair.spelled(answer)) - 1
    for whole, places in ((text, spans), (answer, found)):
        assert places == sorted(places)
        covered = {place for first, end in places for place in range(first, end)}
        assert {place for place, sign in enumerate(whole) if sign != " "} <= covered
        assert max(end for _, end in places) == len(whole)
    assert pair.sides.source(pair.read([text])[0]) == text


@pytest.mark.parametrize("family", FAMILIES)
def test_where_the_decoder_looks_sums_to_one_over_the_source_alone(
    tiny_translator: Opened, family: str
) -> None:
    backbone = tiny_translator(family)
    pair = backbone.translating(ASKED[family])
    pieces = pair.read(TEXTS[:3])
    texts = [pair.spelled(text) for _, text in PAIRS[:3]]
    shares = pair.looked(pair.states(backbone.activations(pieces, 3), 3), texts)
    for piece, text, one in zip(pieces, texts, shares, strict=True):
        assert one.shape == (len(text), len(piece))
        assert np.allclose(one.sum(axis=1), 1.0, atol=1e-5)
    with backbone.lock, torch.inference_mode():  # held to what transformers says of it
        states = pair.states(backbone.activations(pieces, 3), 3)
        own = backbone.model.get_decoder()
        before = own.config._attn_implementation
        backbone.model.set_attn_implementation("eager")
        given = torch.tensor([[*pair.writer.start, *texts[0][:-1]]])  # type: ignore[attr-defined]
        told = own(
            input_ids=given,
            encoder_hidden_states=states.hidden[:1],
            encoder_attention_mask=states.mask[:1],
            output_attentions=True,
        ).cross_attentions[0]
        backbone.model.set_attn_implementation(before)
    mean = told[0].mean(dim=0)[pair.writer.forced :, : len(pieces[0])]
    assert np.allclose(shares[0], mean.numpy(), atol=1e-5)


def test_languages_are_asked_for_by_name(tiny_translator: Opened, tmp_path: Path) -> None:
    many = ENGINE.open(
        BackboneRef("many", "transformers", marian(tmp_path / "many", targets=("pt", "es"))),
        device="cpu",
        threads=None,
    )
    assert isinstance(many, TranslatorBackbone)
    told = many.translating(Encoding(target_language="es"))
    assert many.tokenizer.convert_ids_to_tokens(told.read(["Save."])[0].ids[0]) == ">>es<<"
    assert (told.source_language, told.target_language) == ("en", "es")
    for backbone, encoding, code in (
        (many, Encoding(), "language_missing"),
        (many, Encoding(target_language="fr"), "unknown_language"),
        (tiny_translator("marian"), Encoding(target_language="fr"), "unknown_language"),
        (tiny_translator("m2m100"), Encoding(source_language="en"), "language_missing"),
        (tiny_translator("nllb"), Encoding(source_language="en"), "unknown_language"),
        (tiny_translator("t5"), Encoding(source_language="pt"), "prefix_missing"),
    ):
        with pytest.raises(InputError) as caught:
            backbone.translating(encoding)
        assert caught.value.code == code
        assert caught.value.allowed
    t5 = tiny_translator("t5")
    own = t5.translating(Encoding(prefix="into Portuguese: "))
    assert own.sides.source(own.read(["Save."])[0]) == "Save."


def test_a_glossary_is_refused_where_looking_was_not_taught(tiny_translator: Opened) -> None:
    backbone = tiny_translator("marian")
    pair = backbone.translating(ASKED["marian"])
    pieces = pair.read(["Save."])
    states = pair.states(backbone.activations(pieces, 3), 3)
    with pytest.raises(InputError) as caught:
        pair.translated(states, pieces, Rendering(glossary={"save": "guardar"}))
    assert caught.value.code == "glossary_unsupported"
    assert "bergamot" in str(caught.value.allowed)


def test_t5_classifies_as_before_and_translates_beside_it(tiny_translator: Opened) -> None:
    """What is kept of a text to be classified is no source of a translation."""
    backbone = tiny_translator("t5")
    tokens = backbone.tokens(["Open the file."], Encoding())
    (kept,) = backbone.activations([tokens[0][0]], 1)
    assert kept.shape == (len(tokens[0][0].ids), 32)
    (source,) = backbone.translating(ASKED["t5"]).read(["Open the file."])
    assert repr(source) != repr(tokens[0][0])
    (read,) = backbone.activations([source], 1)
    assert read.shape == (len(source.ids), 1)
    assert backbone.features(tokens, Encoding()).shape == (1, 32)
