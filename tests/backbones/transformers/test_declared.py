"""What a folder declares, read without torch."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys

import pytest

from supertune.backbones.transformers import ENGINE, declared
from supertune.catalogue.resolve import resolve
from supertune.contracts import BackboneRef
from supertune.errors import InputError


def test_minilm_is_an_english_encoder_that_averages_its_tokens(minilm):
    offer = minilm.offer
    assert (offer.family, offer.architecture, offer.pooling) == ("encoder", "BertModel", "mean")
    assert (offer.width, offer.depth, offer.max_length) == (384, 6, 256)
    assert (offer.prefix, offer.normalize, offer.languages) == ("", True, ("en",))
    assert offer.capabilities == {
        *("features", "blocks", "biases", "past_keys", "block_prompts", "torch"),
    }
    in_memory = sum(parameter.numel() for parameter in minilm.model.parameters())
    assert offer.parameters == pytest.approx(in_memory, rel=1e-4)  # the file has position ids too


def test_e5_declares_its_prefix_its_normalisation_and_its_languages():
    offer = declared.offer(resolve("e5-small").folder)
    assert (offer.prefix, offer.normalize, offer.languages) == ("query: ", True, ("*",))
    assert (offer.pooling, offer.width, offer.depth, offer.max_length) == ("mean", 384, 12, 512)


def test_smollm2_is_causal_and_is_read_at_its_last_token():
    offer = declared.offer(resolve("smollm2").folder)
    assert (offer.family, offer.pooling, offer.width, offer.depth) == ("causal", "last", 576, 30)
    assert {"features", "blocks", "torch", "next_token_logits"} <= offer.capabilities


@pytest.mark.parametrize(
    ("family", "kind", "longest"),
    [
        ("bert", "encoder", 66),
        ("roberta", "encoder", 64),  # two positions are for padding
        ("distilbert", "encoder", 64),
        ("t5", "seq2seq", 512),
        ("gpt2", "causal", 64),
        ("llama", "causal", 66),
    ],
)
def test_each_family_is_recognised_with_its_sizes(tiny_folder, family, kind, longest):
    offer = declared.offer(tiny_folder(family))
    assert (offer.family, offer.width, offer.depth) == (kind, 32, 4)
    assert offer.max_length == longest


def test_nothing_is_loaded_to_know_what_a_folder_offers(python):
    code = """
import sys
from pathlib import Path
from supertune import registry
from supertune.contracts import BackboneRef
engine = registry.engine("transformers")
print(engine.offers(BackboneRef("minilm", "transformers", Path(sys.argv[1]))).depth)
print(sorted({"torch", "transformers", "peft", "safetensors", "numpy"} & set(sys.modules)))
"""
    done = python(code, str(resolve("minilm").folder))
    assert done.stdout.splitlines() == ["6", "['numpy']"], done.stderr


@pytest.fixture
def copied(tiny_folder, tmp_path):
    folder = tmp_path / "my-bert"
    shutil.copytree(tiny_folder("bert"), folder)
    return folder


def refused(folder):
    with pytest.raises(InputError) as caught:
        declared.offer(folder)
    return caught.value


def rewrite(folder, name, **changes):
    path = folder / name
    kept = json.loads(path.read_text("utf-8")) if path.exists() else {}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**kept, **changes}), "utf-8")


def test_a_pooling_that_a_folder_declares_is_taken(copied):
    assert declared.offer(copied).pooling == "mean"
    rewrite(copied, "1_Pooling/config.json", pooling_mode_cls_token=True)
    assert declared.offer(copied).pooling == "cls"
    rewrite(copied, "1_Pooling/config.json", pooling_mode_cls_token=False, pooling_mode="lasttoken")
    assert declared.offer(copied).pooling == "last"


def test_a_shorter_length_that_a_folder_declares_is_taken(copied):
    rewrite(copied, "sentence_bert_config.json", max_seq_length=40)
    assert declared.offer(copied).max_length == 40


def test_a_folder_without_configuration_is_no_backbone(tmp_path):
    error = refused(tmp_path)
    assert error.code == "not_a_backbone"
    assert "supertune models" in str(error.next)


def test_a_folder_whose_configuration_is_broken_is_no_backbone(copied):
    (copied / "config.json").write_text("{", "utf-8")
    assert refused(copied).code == "not_a_backbone"


def test_a_folder_without_weights_is_refused(copied):
    (copied / "model.safetensors").unlink()
    assert refused(copied).code == "weights_missing"


def test_weights_that_are_no_safetensors_are_refused(copied):
    (copied / "model.safetensors").write_bytes(b"\x80\x02" * 100)
    assert refused(copied).code == "weights_unreadable"


def test_a_folder_that_brings_code_is_refused(copied):
    (copied / "config.json").write_text(
        json.dumps({"auto_map": {"AutoModel": "modeling.Mine"}}), "utf-8"
    )
    assert refused(copied).code == "remote_code"


def test_a_backbone_that_is_nowhere_yet_offers_nothing():
    with pytest.raises(InputError, match="not been fetched"):
        ENGINE.offers(BackboneRef("minilm", "transformers", None))


def test_the_command_printed_for_a_pickle_makes_a_folder_that_opens(copied, minilm):
    import torch
    from safetensors.torch import load_file

    weights = load_file(copied / "model.safetensors")
    weights["tied.weight"] = weights["embeddings.word_embeddings.weight"]
    torch.save(weights, copied / "pytorch_model.bin")
    (copied / "model.safetensors").unlink()
    error = refused(copied)
    assert (error.code, error.received) == ("pickled_weights", "pytorch_model.bin")
    command = shlex.split(str(error.next).partition("in its folder: ")[2])
    assert command[0] == "python"
    subprocess.run([sys.executable, *command[1:]], cwd=copied, check=True)
    assert declared.offer(copied).depth == 4
    opened = ENGINE.open(BackboneRef("my-bert", "transformers", copied), device="cpu", threads=None)
    assert opened.offer.width == 32
