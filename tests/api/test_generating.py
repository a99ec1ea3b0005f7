"""`supertune.load(folder, task="generation")` and ``supertune predict`` of adapters that write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import supertune
from supertune.errors import InputError

TEXTS = ["the film was", "a very long and dull story of two", "bad"]
theirs = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
KINDS = {
    "lora": ("LoraConfig", {"r": 4, "target_modules": ["q_proj", "v_proj"]}, "llama"),
    "prompt": ("PromptTuningConfig", {"num_virtual_tokens": 3}, "llama"),
    "prefix": ("PrefixTuningConfig", {"num_virtual_tokens": 3}, "llama"),
    "t5": ("LoraConfig", {"r": 4, "target_modules": ["q", "v"]}, "t5"),
}


@pytest.fixture
def adapter(tiny_folder, tmp_path) -> Any:
    """(plain peft's model, its folder, the backbone's) of one kind, its numbers far from where
    they began."""

    def made(kind: str) -> tuple[Any, Path, str]:
        import peft
        import torch
        from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

        name, settings, family = KINDS[kind]
        where = str(tiny_folder(family))
        seq2seq = family == "t5"
        whole = (AutoModelForSeq2SeqLM if seq2seq else AutoModelForCausalLM).from_pretrained(where)
        task = "SEQ_2_SEQ_LM" if seq2seq else "CAUSAL_LM"
        torch.manual_seed(0)
        config = getattr(peft, name)(task_type=task, **settings)
        wrapped = peft.get_peft_model(whole, config)
        with torch.no_grad():
            for parameter in wrapped.parameters():
                if parameter.requires_grad:
                    parameter.add_(torch.randn_like(parameter) * 0.5)
        wrapped.save_pretrained(str(tmp_path / kind))
        return wrapped.eval(), tmp_path / kind, where

    return made


def _ids(backbone: Any, text: str) -> Any:
    import torch
    from transformers import AutoTokenizer

    return torch.tensor([AutoTokenizer.from_pretrained(backbone)(text)["input_ids"]])


@theirs
@pytest.mark.parametrize("kind", list(KINDS))
def test_an_adapter_writes_and_scores_as_peft_does_with_it(adapter, kind) -> None:
    import torch

    wrapped, folder, where = adapter(kind)
    model = supertune.load(folder, task="generation", backbone=where)
    assert isinstance(model, supertune.Generator)
    written = model.generate(TEXTS, max_new_tokens=5)
    losses = model.sequence_loss(TEXTS, [" good"] * 3)
    for text, after, loss in zip(TEXTS, written, losses, strict=True):
        ids = _ids(where, text)
        with torch.no_grad():
            if kind == "t5":
                start = wrapped.config.decoder_start_token_id
                logits = wrapped(input_ids=ids, decoder_input_ids=torch.tensor([[start]])).logits
            else:
                logits = wrapped(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        scores = logits[0, -1].log_softmax(-1)
        good = _ids(where, "good")[0].tolist()
        token = next(one for one in good if one > 3)
        assert loss == pytest.approx(-float(scores[token]), abs=1e-4)
        likeliest = int(scores.argmax())
        told = _decoded(where, likeliest)
        assert after.startswith(told)
    alone = [model.generate([text], max_new_tokens=5)[0] for text in TEXTS]
    assert written == alone
    assert not hasattr(model, "predict_proba")


def _decoded(where: str, token: int) -> str:
    from transformers import AutoTokenizer

    return str(AutoTokenizer.from_pretrained(where).decode([token], skip_special_tokens=True))


@theirs
def test_its_numbers_take_part_and_leave_the_backbone_as_it_was(adapter) -> None:
    _, folder, where = adapter("lora")
    model = supertune.load(folder, task="generation", backbone=where)
    backbone: Any = model._writer
    before = backbone.fingerprint()
    tuned = model.sequence_loss(TEXTS, [" good"] * 3)
    plain = backbone.sequence_loss(TEXTS, [" good"] * 3)
    assert np.abs(tuned - plain).min() > 1e-4
    assert backbone.fingerprint() == before


@theirs
def test_what_cannot_write_is_refused_by_name(adapter, words, tiny_folder, exported_lora) -> None:
    def code(call: Any) -> str:
        with pytest.raises(InputError) as caught:
            call()
        return caught.value.code

    _, folder, where = adapter("lora")
    with pytest.raises(InputError) as caught:
        supertune.load(folder, backbone=where)
    assert caught.value.code == "labels_needed"
    assert 'task="generation"' in str(caught.value.next)
    assert code(lambda: supertune.load(words, task="generation")) == "not_an_adapter"
    assert code(lambda: supertune.load(exported_lora, task="generation")) == "cannot_generate"
    model = supertune.load(folder, task="generation", backbone=where)
    assert code(lambda: model.generate("one text")) == "bad_texts"
    assert code(lambda: model.generate([1])) == "bad_texts"  # type: ignore[list-item]
    assert code(lambda: model.generate(TEXTS, max_tokens=3)) == "bad_option"
    assert code(lambda: model.generate(TEXTS, temperature=-1)) == "bad_option"


@pytest.fixture
def exported_lora(reviews, tmp_path) -> Path:
    """A classifier's adapter, on an encoder."""
    options = {"folds": 2, "repeats": 1, "max_length": 16, "rank": 2, "epochs": 1}
    model = supertune.fit(
        reviews.train, test=reviews.test, backbone="minilm", method="lora", **options
    )
    supertune.export(model, tmp_path / "plain")
    return tmp_path / "plain"


@theirs
def test_on_the_command_line_texts_are_gone_on_with(adapter, request, here) -> None:
    run = request.getfixturevalue("supertune")
    _, folder, where = adapter("lora")
    model = supertune.load(folder, task="generation", backbone=where)
    wanted = model.generate(TEXTS[:2], max_new_tokens=4)
    place = ("--backbone", where)
    few = ("--set", "max_new_tokens=4")
    done = run("predict", folder, *TEXTS[:2], *place, *few)
    assert done.code == 0
    for before, after in zip(TEXTS, wanted, strict=False):
        assert before + after in done.out
    told = run("predict", folder, *TEXTS[:2], *place, *few, "--json").answer
    assert (told["texts"], told["rows"]) == (wanted, 2)
    (here / "rows.csv").write_text("text\nthe film\n", "utf-8")
    for arguments in (("rows.csv",), ("the film", "-o", "answers.csv")):
        refused = run("predict", folder, *arguments, *place, "--json")
        assert (refused.code, refused.error["code"]) == (2, "generator_reads_texts")
    wrong = run("predict", folder, "the film", *place, "--set", "max_token=4", "--json")
    assert (wrong.code, wrong.error["code"]) == (2, "bad_option")
    assert "max_new_tokens" in json.dumps(wrong.error)


def test_settings_of_writing_are_refused_where_nothing_writes(request, words) -> None:
    refused = request.getfixturevalue("supertune")("predict", words, "a", "--set", "x=1", "--json")
    assert (refused.code, refused.error["code"]) == (2, "not_a_generator")
