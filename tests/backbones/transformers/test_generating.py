"""Text that models write, and how likely they find text that is given."""

from __future__ import annotations

import json

import numpy as np
import pytest

from supertune.backbones.transformers import declared
from supertune.backbones.transformers.tuning import inject
from supertune.contracts import Decoding, Generating, Injection
from supertune.errors import InputError

TINY = ("gpt2", "llama", "opt", "olmo2", "t5", "bart")
TEXTS = ["the film was", "a very long and dull story of two", "bad", "good and bad and the film"]
FEW = Decoding(max_new_tokens=6)


@pytest.fixture
def any_model(request, tiny, smollm2):
    return smollm2 if request.param == "smollm2" else tiny(request.param)


every = pytest.mark.parametrize("any_model", ["smollm2", *TINY], indirect=True)
random = pytest.mark.parametrize("any_model", [*TINY], indirect=True)


def _ids(backbone, text: str) -> list[int]:
    from supertune.backbones.transformers.generating import prompt_ids

    return list(prompt_ids(backbone, text, False))


def _theirs(backbone, text: str, count: int) -> str:
    """What transformers' own loop writes after one text alone."""
    import torch

    ids = torch.tensor([_ids(backbone, text)])
    with torch.no_grad():
        made = backbone.model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, do_sample=False,
            num_beams=1, forced_eos_token_id=None, pad_token_id=backbone.tokenizer.pad_token_id,
        )[0]  # fmt: skip
    new = made[1:] if backbone.offer.family == "seq2seq" else made[ids.shape[1] :]
    return str(backbone.tokenizer.decode(new, skip_special_tokens=True))


@every
def test_texts_side_by_side_are_gone_on_with_as_each_is_by_transformers_alone(any_model) -> None:
    assert isinstance(any_model, Generating)
    assert any_model.keeps_past
    together = any_model.generate(TEXTS, FEW)
    assert together == [_theirs(any_model, text, 6) for text in TEXTS]
    assert together == [any_model.generate([text], FEW)[0] for text in TEXTS]


@every
def test_what_is_drawn_for_a_text_depends_on_the_seed_and_not_on_the_others(any_model) -> None:
    drawn = Decoding(max_new_tokens=6, temperature=1.0, top_p=0.95, seed=5)
    together = any_model.generate(TEXTS, drawn)
    assert together == any_model.generate(TEXTS, drawn)
    assert together[::-1] == any_model.generate(TEXTS[::-1], drawn)
    assert together == [any_model.generate([text], drawn)[0] for text in TEXTS]
    assert together != any_model.generate(TEXTS, drawn.model_copy(update={"seed": 6}))
    # Of the fewest tokens that have a thousandth between them only the likeliest is left.
    narrow = Decoding(max_new_tokens=6, temperature=1.0, top_p=0.001)
    assert any_model.generate(TEXTS, narrow) == any_model.generate(TEXTS, FEW)


@random
def test_a_model_that_keeps_nothing_writes_the_same(any_model, monkeypatch) -> None:
    wanted = any_model.generate(TEXTS, FEW)
    monkeypatch.setitem(any_model.__dict__, "keeps_past", False)
    assert any_model.generate(TEXTS, FEW) == wanted


def test_a_model_that_counts_padding_as_words_is_read_one_text_at_a_time(tiny) -> None:
    from supertune.backbones.transformers.generating import keeps_past

    backbone = tiny("gpt2")
    whole = backbone.model.forward

    def uncounted(input_ids=None, attention_mask=None, past_key_values=None, use_cache=None):
        return whole(input_ids, past_key_values=past_key_values, use_cache=use_cache)

    backbone.model.forward = uncounted
    try:
        assert not keeps_past(backbone)
    finally:
        del backbone.model.forward


@every
def test_the_loss_of_a_continuation_is_the_sum_over_its_tokens_whatever_stands_beside(
    any_model,
) -> None:
    import torch

    after = [" good", " bad and dull", " the", " very very long"]
    found = any_model.sequence_loss(TEXTS, after)
    alone = [any_model.sequence_loss([t], [c])[0] for t, c in zip(TEXTS, after)]
    np.testing.assert_allclose(found, alone, rtol=1e-5)
    np.testing.assert_array_equal(found[::-1], any_model.sequence_loss(TEXTS[::-1], after[::-1]))
    for text, continuation, loss in zip(TEXTS, after, found, strict=True):
        ids, new = (
            _ids(any_model, text),
            any_model.tokenizer(continuation, add_special_tokens=False),
        )
        new = new["input_ids"]
        with torch.no_grad():
            if any_model.offer.family == "seq2seq":
                start = any_model.model.config.decoder_start_token_id
                wanted = any_model.model(
                    input_ids=torch.tensor([ids]),
                    decoder_input_ids=torch.tensor([[start, *new[:-1]]]),
                ).logits[0]
            else:
                wanted = any_model.model(torch.tensor([[*ids, *new]])).logits[0, len(ids) - 1 : -1]
        each = wanted.log_softmax(-1)[range(len(new)), new]
        assert loss == pytest.approx(-float(each.sum()), rel=1e-4)
    mean = any_model.sequence_loss(TEXTS, after, rule="mean")
    assert (mean <= found + 1e-6).all()


def test_blanks_at_the_end_of_a_prompt_belong_to_the_continuation(smollm2) -> None:
    one = smollm2.sequence_loss(["The capital of France is"], [" Paris"])
    two = smollm2.sequence_loss(["The capital of France is "], ["Paris"])
    other = smollm2.sequence_loss(["The capital of France is"], [" Berlin"])
    assert one[0] == two[0] < other[0]


def test_writing_ends_where_it_is_told_to_and_where_the_model_ends(smollm2, tiny) -> None:
    whole = smollm2.generate(["The capital of France is"], Decoding(max_new_tokens=8))[0]
    assert whole.startswith(" Paris.")
    ended = smollm2.generate(["The capital of France is"], Decoding(max_new_tokens=8, stop=(".",)))
    assert ended == [" Paris"]
    said = Decoding(max_new_tokens=24, chat=True)
    assert "Rome" in smollm2.generate(["Name the capital of Italy."], said)[0]
    backbone = tiny("llama")
    likeliest = backbone.generate(["the film"], Decoding(max_new_tokens=4))[0].split()
    backbone.model.generation_config.eos_token_id = [
        2, backbone.tokenizer.convert_tokens_to_ids(likeliest[0]),
    ]  # fmt: skip
    try:
        assert backbone.generate(["the film"], Decoding(max_new_tokens=4)) == [""]
    finally:
        backbone.model.generation_config.eos_token_id = 2


@pytest.mark.parametrize("family", ["llama", "t5", "bart"])
@pytest.mark.parametrize(
    ("kind", "settings"),
    [("LORA", {"r": 2, "init_lora_weights": False}), ("PROMPT_TUNING", {"num_virtual_tokens": 3}),
     ("PREFIX_TUNING", {"num_virtual_tokens": 3})],
)  # fmt: skip
def test_what_is_tuned_takes_part_and_a_text_stays_by_itself(tiny, family, kind, settings) -> None:
    if (kind, family) in {("PREFIX_TUNING", "t5"), ("PREFIX_TUNING", "bart")}:
        pytest.skip("refused by name, see test_peft_prompts")
    backbone = tiny(family)
    plain = backbone.sequence_loss(TEXTS, ["good"] * 4)
    tunable = inject(backbone, Injection(kind, None, settings), 4)
    drawn = Decoding(max_new_tokens=6, temperature=2.0)
    with tunable:
        losses = backbone.sequence_loss(TEXTS, ["good"] * 4, room=tunable.room)
        together = backbone.generate(TEXTS, drawn, room=tunable.room)
        assert together == [backbone.generate([t], drawn, room=tunable.room)[0] for t in TEXTS]
        # What is written first is what the loss finds likely.
        first = backbone.generate(TEXTS, Decoding(max_new_tokens=1), room=tunable.room)
    assert np.abs(losses - plain).max() > 1e-4
    with tunable:
        words = [word for word in first if word]
        for word in words:
            rows = [i for i, one in enumerate(first) if one == word]
            likely = backbone.sequence_loss([TEXTS[i] for i in rows], [word] * len(rows))
            other = backbone.sequence_loss([TEXTS[i] for i in rows], ["dull"] * len(rows))
            assert (likely <= other + 1e-5).all()


def test_what_cannot_be_written_or_judged_is_refused_by_row(tiny) -> None:
    backbone = tiny("gpt2")  # which reads 64 tokens
    long = "film " * 62

    def code(call) -> tuple[str, str]:
        with pytest.raises(InputError) as caught:
            call()
        return caught.value.code, str(caught.value)

    found, message = code(lambda: backbone.generate(["good", long], FEW))
    assert (found, "Text 2" in message) == ("text_too_long", True)
    assert code(lambda: backbone.sequence_loss([long], ["good good good"]))[0] == "text_too_long"
    assert code(lambda: backbone.generate(["a"], Decoding(chat=True)))[0] == "no_chat_template"
    assert code(lambda: backbone.sequence_loss(["a"], [""]))[0] == "continuation_empty"
    assert code(lambda: backbone.sequence_loss(["a"], []))[0] == "unpaired"


def test_only_what_reads_from_left_to_right_offers_to_write(tiny_folder, tmp_path) -> None:
    for family in TINY:
        assert {"generate", "sequence_loss"} <= declared.offer(tiny_folder(family)).capabilities
    for family in ("bert", "masked-bert", "masked-roberta"):
        offered = declared.offer(tiny_folder(family)).capabilities
        assert not {"generate", "sequence_loss"} & offered
    for kind, head, decodes in (
        ("bert", "BertLMHeadModel", False),
        ("bert", "BertLMHeadModel", True),
        ("xlnet", "XLNetLMHeadModel", False),
    ):
        folder = tmp_path / f"{kind}-{decodes}"
        folder.mkdir()
        config = {"model_type": kind, "architectures": [head], "hidden_size": 32}
        text = json.dumps({**config, "is_decoder": decodes, "num_hidden_layers": 4})
        (folder / "config.json").write_text(text, "utf-8")
        weights = next(tiny_folder("bert").glob("*.safetensors"))
        (folder / weights.name).write_bytes(weights.read_bytes())
        assert ("generate" in declared.offer(folder).capabilities) is decodes
