"""Words scored in a prompt, against what plain transformers gives for the whole sequence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from supertune.backbones.transformers import prompting
from supertune.contracts import Encoding, Prompt
from supertune.errors import InputError

MOVIE = Prompt("{text} All in all, the movie was {answer}", (("great", "really good"), ("awful",)))
SAYS = Prompt("the {text} was {answer} .", (("good", "very good"), ("bad",), ("very long story",)))
TEXTS = ["film", "a long dull film of the story", ""]


def asked(prompt: Prompt, **changes) -> Encoding:
    return replace(Encoding(max_length=24), prompt=prompt, **changes)


def scored(backbone, texts, prompt, exact=True, **changes):
    encoding = asked(prompt, **changes)
    return backbone.scores(backbone.tokens(texts, encoding), encoding, exact=exact)


def likelihoods(backbone, ids, at, **inputs):
    """(len(at), vocabulary) of one sequence, by the model as it is."""
    import torch

    with torch.no_grad():
        logits = backbone.model(input_ids=torch.tensor([ids]), **inputs).logits[0]
    return torch.log_softmax(logits, -1)[at].numpy()


# --- causal -----------------------------------------------------------------------------------


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("rule", ["mean", "sum"])
def test_words_of_several_tokens_are_scored_as_the_whole_sequence_says(smollm2, exact, rule):
    prompt = replace(MOVIE, rule=rule)
    texts = ["a wonderful, moving film", "dull and lifeless"]
    found = scored(smollm2, texts, prompt, exact)
    tokenizer = smollm2._tokens.tokenizer
    for row, text in zip(found, texts):
        before = tokenizer(f"{text} All in all, the movie was")["input_ids"]
        for score, word in zip(row, prompt.all_words):
            ids = tokenizer(f"{text} All in all, the movie was {word}")["input_ids"]
            assert ids[: len(before)] == before
            at = range(len(before) - 1, len(ids) - 1)
            each = likelihoods(smollm2, ids, list(at))[range(len(at)), ids[len(before) :]]
            np.testing.assert_allclose(
                score, each.mean() if rule == "mean" else each.sum(), atol=1e-4
            )


def test_chinese_words_of_many_tokens_are_scored_too(smollm2):
    prompt = Prompt("输入：{text} 输出：{answer}", (("积极",), ("消极",)))
    found = scored(smollm2, ["这部电影太棒了！", "太差"], prompt)
    assert found.shape == (2, 2)
    assert np.isfinite(found).all()
    assert (found < 0).all()
    assert len(set(found.ravel().tolist())) == 4


def test_a_chat_prompt_goes_through_the_backbones_own_template(smollm2):
    encoding = asked(replace(MOVIE, chat=True))
    pieces = smollm2.tokens(["a fine film"], encoding)[0]
    text = smollm2._tokens.tokenizer.decode(pieces[-1].ids)
    assert text.startswith("<|im_start|>")
    assert "a fine film All in all, the movie was" in text
    assert text.endswith(("<|im_start|>assistant\n", "assistant\nreally"))


def test_a_vector_in_a_prompt_is_the_one_at_the_answer(smollm2):
    import torch

    encoding = asked(MOVIE)
    tokens = smollm2.tokens(["a fine film"], encoding)
    ids = smollm2._tokens.tokenizer("a fine film All in all, the movie was")["input_ids"]
    with torch.no_grad():
        hidden = smollm2.body(input_ids=torch.tensor([ids])).last_hidden_state[0, -1]
    np.testing.assert_allclose(
        smollm2.features(tokens, encoding)[0], hidden.numpy(), atol=2e-4, rtol=1e-4
    )


def test_what_is_shown_stands_in_front_of_every_row_and_is_never_cut(smollm2):
    prompt = replace(MOVIE, shown="Answer great or awful.\n\n")
    encoding = asked(prompt, max_length=8)
    for piece, *_ in smollm2.tokens(["dull " * 300, "fine"], encoding):
        text = smollm2._tokens.tokenizer.decode(piece.ids[: piece.reads[0] + 1])
        assert text.startswith("Answer great or awful.\n\n")
        assert text.endswith(" All in all, the movie was")
        assert text.count("dull") <= 8


# --- masked -----------------------------------------------------------------------------------

MASKED = ("masked-bert", "masked-roberta", "masked-distilbert")


@pytest.mark.parametrize("family", MASKED)
def test_masked_models_are_asked_with_as_many_masks_as_a_word_has_tokens(tiny, family):
    backbone = tiny(family)
    tokenizer = backbone._tokens.tokenizer
    assert backbone.offer.family == "masked"
    assert "score_text" in backbone.offer.capabilities
    found = scored(backbone, TEXTS, SAYS)
    for row, text in zip(found, TEXTS):
        for score, word in zip(row, SAYS.all_words):
            wanted = tokenizer(word, add_special_tokens=False)["input_ids"]
            masks = " ".join([tokenizer.mask_token] * len(wanted))
            ids = tokenizer(f"the {text} was {masks} .")["input_ids"]
            at = [i for i, token in enumerate(ids) if token == tokenizer.mask_token_id]
            each = likelihoods(backbone, ids, at)[range(len(at)), wanted]
            np.testing.assert_allclose(score, each.mean(), atol=1e-4)


def test_a_text_cannot_bring_a_mask_of_its_own(tiny):
    backbone = tiny("masked-bert")
    mask = backbone._tokens.tokenizer.mask_token
    assert np.isfinite(scored(backbone, [f"a {mask} film"], SAYS)).all()


# --- sequence to sequence ---------------------------------------------------------------------


def test_encoder_decoders_answer_in_their_decoder(tiny):
    import torch

    t5 = tiny("t5")
    tokenizer = t5._tokens.tokenizer
    found = scored(t5, TEXTS, SAYS)
    for row, text in zip(found, TEXTS):
        ids = tokenizer(f"the {text} was")["input_ids"]
        for score, word in zip(row, SAYS.all_words):
            wanted = tokenizer(word, add_special_tokens=False)["input_ids"]
            begun = torch.tensor([[t5.model.config.decoder_start_token_id, *wanted[:-1]]])
            each = likelihoods(t5, ids, list(range(len(wanted))), decoder_input_ids=begun)
            np.testing.assert_allclose(score, each[range(len(wanted)), wanted].mean(), atol=1e-4)


# --- all --------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [*MASKED, "llama", "gpt2", "t5"])
def test_a_row_does_not_depend_on_its_neighbours_and_batches_agree(tiny, family):
    backbone = tiny(family)
    together = scored(backbone, TEXTS, SAYS)
    for text, row in zip(TEXTS, together):
        np.testing.assert_array_equal(scored(backbone, [text], SAYS)[0], row)
    np.testing.assert_allclose(scored(backbone, TEXTS, SAYS, exact=False), together, rtol=1e-4)


@pytest.mark.parametrize("family", [*MASKED, "llama", "gpt2", "t5"])
@pytest.mark.parametrize("how", ["truncate", "head_tail"])
def test_only_the_text_is_cut(tiny, family, how):
    backbone = tiny(family)
    encoding = asked(SAYS, max_length=6, long_text=how)
    (short,), (long,) = (
        backbone.tokens([text], encoding) for text in ("film", "good " * 200 + "bad story")
    )
    words = backbone._tokens.tokenizer
    for piece in (*short, *long):
        text = words.decode(piece.ids, skip_special_tokens=True)
        assert text.startswith("the ")
        assert "was" in text
        assert text.count("good") <= 6
    assert ("bad story" in words.decode(long[0].ids)) == (how == "head_tail")


def test_fields_share_the_room_and_the_longest_is_cut_first(tiny):
    prompt = replace(SAYS, template="{text1} and {text2} was {answer}")
    ((piece, *_),) = tiny("llama").tokens([("good film", "bad " * 50)], asked(prompt, max_length=8))
    text = tiny("llama")._tokens.tokenizer.decode(piece.ids, skip_special_tokens=True)
    assert "good film" in text
    assert 4 <= text.count("bad") <= 6


def test_doubled_braces_are_braces_and_a_text_keeps_its_own():
    assert prompting.filled("{{{text}}} {text}", ["{text}"]) == "{{text}} {text}"


def test_a_prompt_that_leaves_no_room_for_the_text_is_refused(tiny):
    with pytest.raises(InputError) as caught:
        scored(tiny("llama"), ["film"], replace(SAYS, shown="very " * 80))
    assert caught.value.code == "prompt_too_long"


def test_a_text_in_parts_is_refused_in_a_prompt(tiny):
    with pytest.raises(InputError) as caught:
        scored(tiny("llama"), ["film"], SAYS, long_text="chunk")
    assert caught.value.code == "prompt_cannot_chunk"


def test_words_that_are_the_same_tokens_for_two_labels_are_refused(tiny):
    with pytest.raises(InputError) as caught:
        scored(tiny("llama"), ["film"], replace(SAYS, words=(("good",), ("good",))))
    assert caught.value.code == "verbalizer_collides"


def test_a_word_the_tokenizer_does_not_know_is_refused(tiny):
    with pytest.raises(InputError) as caught:
        scored(tiny("llama"), ["film"], replace(SAYS, words=(("good",), ("zebra",))))
    assert caught.value.code == "word_unreadable"
    assert "zebra" in str(caught.value)


def test_what_is_shown_to_every_row_is_read_once_and_changes_nothing(smollm2, monkeypatch):
    from supertune.backbones.transformers import answering

    shown = "a good film All in all, the movie was great\n\nso dull All in all, it was awful\n\n"
    prompt = replace(MOVIE, shown=shown)
    texts = ["a wonderful, moving film", "dull", "a fine story that ends too soon"]
    once = scored(smollm2, texts, prompt)
    monkeypatch.setattr(answering, "WORTH_KEEPING", 10**6)
    np.testing.assert_allclose(once, scored(smollm2, texts, prompt), atol=1e-4)


def test_a_causal_model_would_not_see_a_text_behind_the_answer(tiny):
    with pytest.raises(InputError) as caught:
        scored(tiny("llama"), ["film"], replace(SAYS, template="was {answer} the {text}"))
    assert caught.value.code == "template_hides_text"
