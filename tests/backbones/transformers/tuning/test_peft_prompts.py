"""Virtual tokens and prefixes: peft computes the same, they start at words, some cannot go."""

from __future__ import annotations

import json

import numpy as np
import pytest

from supertune.contracts import Encoding, Injection, Prompt
from supertune.errors import InputError

# peft 0.21 asks transformers 5.23 for a property by its old name.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

TOKENS = {"num_virtual_tokens": 4}
ADAPTERS = {
    "lora": Injection("LORA", (2, 3), {"r": 4}),
    "ia3": Injection("IA3", (2, 3), {}),
    "prompt_tuning": Injection("PROMPT_TUNING", None, {**TOKENS, "init": "vocabulary"}),
    "p_tuning": Injection("P_TUNING", None, {**TOKENS, "encoder_hidden_size": 8}),
    "prefix_tuning": Injection("PREFIX_TUNING", None, {**TOKENS, "init": "vocabulary"}),
    "cartridge": Injection("CARTRIDGE", None, TOKENS),
    "cpt": Injection("CPT", None, TOKENS),
    "several_tasks": Injection("MULTITASK_PROMPT_TUNING", None, {**TOKENS, "num_tasks": 1}),
}
EVERYWHERE = ("lora", "ia3", "prompt_tuning", "p_tuning")
PREFIXES = ("prefix_tuning", "cartridge")
CASES = [
    *(("bert", "AutoModel", kind) for kind in (*EVERYWHERE, *PREFIXES)),
    *(("masked-bert", "AutoModelForMaskedLM", kind) for kind in (*EVERYWHERE, *PREFIXES)),
    *(("llama", "AutoModelForCausalLM", kind) for kind in ADAPTERS),
    *(("gpt2", "AutoModelForCausalLM", kind) for kind in (*EVERYWHERE, *PREFIXES)),
    *(("t5", "AutoModelForSeq2SeqLM", kind) for kind in EVERYWHERE),
]


@pytest.fixture
def reread(tmp_path):
    """``reread(tunable, auto)``: what plain peft makes of the two files of an adapter."""

    def loaded(tunable, auto):
        import torch
        import transformers
        from peft import PeftModel
        from safetensors.numpy import save_file

        folder = str(tunable.backbone.ref.folder)
        model = getattr(transformers, auto).from_pretrained(folder, dtype=torch.float32)
        save_file(tunable.kept, tmp_path / "adapter_model.safetensors", {"format": "pt"})
        text = json.dumps(tunable.config())
        assert folder not in text
        assert json.loads(text)["base_model_name_or_path"] == tunable.backbone.ref.name
        (tmp_path / "adapter_config.json").write_text(text, "utf-8")
        return PeftModel.from_pretrained(model, str(tmp_path)).eval()

    return loaded


def outcome(output):
    """Logits where there are any, else hidden states."""
    return output.logits if hasattr(output, "logits") else output.last_hidden_state


@pytest.mark.parametrize(("family", "auto", "kind"), CASES)
def test_plain_peft_computes_the_same_to_the_bit_on_the_same_padded_batch(
    tiny, family, auto, kind, shifted, batch_of, reread
):
    import torch

    backbone = tiny(family)
    tunable = shifted(backbone.inject(ADAPTERS[kind], seed=0))
    extra = {"decoder_input_ids": torch.ones(3, 2, dtype=torch.long)} if family == "t5" else {}
    with torch.no_grad():
        plain = batch_of(backbone).inputs
        frozen = outcome(backbone.model(**plain, **extra))
        with tunable:
            batch = batch_of(backbone)
            batch = backbone.extend(batch) if backbone.extend else batch
            ours = outcome(backbone.model(**batch.inputs, **extra))
        if kind == "several_tasks":
            extra["task_ids"] = torch.zeros(3, dtype=torch.long)
        theirs = outcome(reread(tunable, auto)(**plain, **extra))
    assert torch.equal(ours, theirs)
    assert not torch.allclose(ours[:, -frozen.shape[1] :], frozen, atol=1e-4)


@pytest.mark.parametrize("kind", ["lora", "ia3", "prompt_tuning", "p_tuning", "prefix_tuning"])
def test_on_real_weights_too(minilm, kind, shifted, batch_of, reread):
    import torch

    tunable = shifted(minilm.inject(ADAPTERS[kind], seed=0), 0.02)
    with torch.no_grad():
        with tunable:
            batch = batch_of(minilm)
            batch = minilm.extend(batch) if minilm.extend else batch
            ours = minilm.body(**batch.inputs).last_hidden_state
        theirs = reread(tunable, "AutoModel")(**batch_of(minilm).inputs).last_hidden_state
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("family", ["bert", "roberta", "llama", "t5"])
def test_virtual_tokens_are_pooled_by_nothing(tiny, family, batch_of):
    backbone = tiny(family)
    with backbone.inject(ADAPTERS["prompt_tuning"], seed=0) as tunable:
        assert tunable.room == 4
        before, after = batch_of(backbone), backbone.extend(batch_of(backbone))
    assert after.inputs["inputs_embeds"].shape[:2] == (3, before.mask.shape[1] + 4)
    assert after.inputs["attention_mask"][:, :4].eq(1).all()
    assert after.mask[:, :4].eq(0).all()
    assert after.mask[:, 4:].equal(before.mask)
    assert "input_ids" in before.inputs, "the batch that was given is not changed"


@pytest.mark.parametrize("kind", ["prompt_tuning", "prefix_tuning", "p_tuning"])
@pytest.mark.parametrize("family", ["bert", "llama", "gpt2"])
def test_a_row_s_vector_is_the_same_alone_and_among_longer_rows(tiny, family, kind, shifted, texts):
    backbone = tiny(family)
    tunable = shifted(backbone.inject(ADAPTERS[kind], seed=0))
    for pooling in ("mean", "cls", "last"):
        encoding = Encoding(pooling=pooling)
        tokens = backbone.tokens(texts, encoding)
        with tunable:
            together = backbone.features(tokens, encoding, exact=False)
            alone = [backbone.features([each], encoding, exact=False)[0] for each in tokens]
        np.testing.assert_allclose(together, alone, atol=2e-5)


@pytest.mark.parametrize("family", ["masked-bert", "llama", "t5"])
@pytest.mark.parametrize("kind", ["prompt_tuning", "lora"])
def test_words_are_read_at_the_answer_however_much_stands_in_front(
    tiny, family, kind, shifted, texts
):
    backbone = tiny(family)
    prompt = Prompt("{text} was {answer}", (("good",), ("bad",)))
    encoding = Encoding(prompt=prompt)
    tokens = backbone.tokens(texts, encoding)
    frozen = backbone.scores(tokens, encoding)
    with shifted(backbone.inject(ADAPTERS[kind], seed=0), 0.3):
        together = backbone.scores(tokens, encoding, exact=False)
        alone = [backbone.scores([each], encoding, exact=False)[0] for each in tokens]
    np.testing.assert_allclose(together, alone, atol=2e-4)
    assert not np.allclose(together, frozen, atol=1e-3)
    np.testing.assert_array_equal(backbone.scores(tokens, encoding), frozen)


def test_words_can_be_read_after_a_prefix(tiny, shifted, texts):
    encoding = Encoding(prompt=Prompt("{text} was {answer}", (("good",), ("bad",))))
    for family in ("masked-bert", "llama", "gpt2"):
        backbone = tiny(family)
        tokens = backbone.tokens(texts, encoding)
        frozen = backbone.scores(tokens, encoding)
        with shifted(backbone.inject(ADAPTERS["prefix_tuning"], seed=0), 0.5):
            assert not np.allclose(backbone.scores(tokens, encoding), frozen, atol=1e-3)


def started(backbone, kind, **settings):
    tunable = backbone.inject(Injection(kind, None, {**TOKENS, **settings}), seed=0)
    with tunable:
        pass
    return tunable.kept["prompt_embeddings"]


def test_a_prompt_starts_at_the_words_given_repeated_or_cut(tiny):
    backbone = tiny("bert")
    table = backbone.model.get_input_embeddings().weight.detach().numpy()
    good, bad, film = (backbone.tokenizer.convert_tokens_to_ids(w) for w in ("good", "bad", "film"))
    for init in ("text", "labels"):
        two = started(backbone, "PROMPT_TUNING", init=init, init_text="good bad")
        np.testing.assert_array_equal(two, table[[good, bad, good, bad]])
    five = started(backbone, "PROMPT_TUNING", init="text", init_text="film film film bad good")
    np.testing.assert_array_equal(five, table[[film, film, film, bad]])


def test_a_prompt_from_the_vocabulary_starts_at_words_and_at_no_special_token(tiny):
    backbone = tiny("bert")
    table = backbone.model.get_input_embeddings().weight.detach().numpy()
    for init in ("vocabulary", "labels"):  # labels that nobody has named
        rows = started(backbone, "PROMPT_TUNING", init=init)
        found = [int(np.flatnonzero((table == row).all(axis=1))[0]) for row in rows]
        assert not set(found) & set(backbone.tokenizer.all_special_ids)
    noise = started(backbone, "PROMPT_TUNING", init="random")
    assert not (noise[:, None] == table[None]).all(axis=2).any()
    assert 0.5 < noise.std() / table.std() < 2


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_a_prefix_starts_at_what_the_words_would_have_left_in_the_cache(tiny, family):
    import torch

    backbone = tiny(family)
    words = "a good film was"
    ids = backbone.tokenizer(words, add_special_tokens=False)["input_ids"]
    tail = backbone.tokenizer("very dull", add_special_tokens=False)["input_ids"]
    tunable = backbone.inject(
        Injection("PREFIX_TUNING", None, {**TOKENS, "init": "text", "init_text": words}), seed=0
    )
    with torch.no_grad():
        whole = backbone.body(input_ids=torch.tensor([ids + tail])).last_hidden_state[:, -2:]
        with tunable:
            batch = backbone.extend(_plain(torch.tensor([tail])))
            after = backbone.body(**batch.inputs).last_hidden_state
    assert torch.allclose(after, whole, atol=1e-5)


def _plain(ids):
    from supertune.backbones.transformers.model import Batch

    mask = ids.new_ones(ids.shape)
    return Batch({"input_ids": ids, "attention_mask": mask}, mask)


@pytest.mark.parametrize("family", ["distilbert", "mpnet", "t5"])
def test_a_prefix_is_refused_where_keys_and_values_have_no_place(tiny, family, unchanged):
    with unchanged(tiny(family)), pytest.raises(InputError) as caught:
        tiny(family).inject(ADAPTERS["prefix_tuning"], seed=0)
    assert caught.value.code == "prompts_unsupported"
    assert "prompt_tuning" in str(caught.value.next)


def test_vectors_made_by_an_encoder_start_nowhere_in_particular(tiny, unchanged):
    with unchanged(tiny("bert")), pytest.raises(InputError) as caught:
        tiny("bert").inject(Injection("P_TUNING", None, {**TOKENS, "init": "text"}), seed=0)
    assert caught.value.code == "init_unsupported"


def test_an_encoder_of_prompts_is_trained_and_its_outcome_kept(tiny, stepped):
    tunable = tiny("bert").inject(ADAPTERS["p_tuning"], seed=0)
    trained = stepped(tunable)
    assert len(trained) > 1
    assert {name: array.shape for name, array in tunable.kept.items()} == {
        "prompt_embeddings": (4, 32)
    }
    assert tunable.tuned_parameters == 4 * 32


def test_embeddings_narrower_than_the_blocks_get_prompts_of_their_own_width(tiny, stepped):
    tunable = tiny("electra").inject(ADAPTERS["prompt_tuning"], seed=0)
    stepped(tunable)
    assert tunable.kept["prompt_embeddings"].shape == (4, 16)
