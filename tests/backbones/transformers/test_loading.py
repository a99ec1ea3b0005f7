"""What opens, and what is refused while opening."""

from __future__ import annotations

import contextlib
import json
import shutil

import pytest

from supertune.backbones.transformers import ENGINE, loading
from supertune.contracts import BackboneRef, Encoding
from supertune.errors import InputError


@pytest.fixture
def copied(tiny_folder, tmp_path):
    folder = tmp_path / "my-bert"
    shutil.copytree(tiny_folder("bert"), folder)
    return folder


def opening(folder, device="cpu"):
    return ENGINE.open(BackboneRef("mine", "transformers", folder), device=device, threads=None)


def refused(folder, device="cpu"):
    with pytest.raises(InputError) as caught:
        opening(folder, device)
    return caught.value


def rewrite(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **changes}), "utf-8")


def weights(folder, change):
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path, {"format": "pt"})


def test_an_opened_model_is_frozen_and_has_no_dropout(minilm):
    assert not any(parameter.requires_grad for parameter in minilm.model.parameters())
    assert not any(module.training for module in minilm.model.modules())


def test_of_two_stacks_without_a_language_model_head_only_the_encoder_is_kept(
    tiny_folder, tmp_path
):
    from transformers import AutoModel, AutoTokenizer

    folder = tmp_path / "t5-without-head"
    AutoModel.from_pretrained(tiny_folder("t5")).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_folder("t5")).save_pretrained(folder)
    backbone = opening(folder)
    assert backbone.body is backbone.model
    assert type(backbone.model).__name__ == "T5Stack"
    assert not any("decoder" in name for name, _ in backbone.model.named_parameters())


def test_a_causal_model_keeps_no_keys_and_values(tiny):
    batch = tiny("llama").tensors(
        [pieces[0] for pieces in tiny("llama").tokens(["a good film"], Encoding())], 1, 8
    )
    assert tiny("llama").model(**batch.inputs).past_key_values is None


def test_a_model_opens_without_the_pooler_that_nothing_reads(copied):
    weights(copied, lambda t: {n: v for n, v in t.items() if not n.startswith("pooler.")})
    assert opening(copied).offer.depth == 4


def test_a_model_with_a_layer_missing_is_refused_not_filled_with_random_numbers(copied):
    weights(copied, lambda t: {n: v for n, v in t.items() if "layer.2.output" not in n})
    error = refused(copied)
    assert error.code == "weights_incomplete"
    assert "layer.2.output" in str(error.received)


def test_weights_of_another_shape_are_refused(copied):
    rewrite(copied / "config.json", intermediate_size=64)
    assert refused(copied).code == "backbone_unreadable"


def test_weights_that_end_too_soon_are_refused(copied):
    path = copied / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert refused(copied).code == "backbone_unreadable"


def test_an_architecture_that_nobody_knows_is_refused(copied):
    rewrite(copied / "config.json", model_type="quantum-bert")
    error = refused(copied)
    assert error.code == "unknown_architecture"
    assert "quantum-bert" in str(error)


def test_code_that_a_model_brings_is_neither_run_nor_asked_about(copied, tmp_path, monkeypatch):
    ran = tmp_path / "ran"
    (copied / "modeling_mine.py").write_text(f"open({str(ran)!r}, 'w')\n", "utf-8")
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("a question was asked"))
    rewrite(copied / "config.json", model_type="mine", auto_map={"AutoModel": "modeling_mine.M"})
    assert refused(copied).code == "remote_code"
    assert not ran.exists()


def test_code_that_a_tokenizer_brings_is_neither_run_nor_asked_about(copied, tmp_path, monkeypatch):
    ran = tmp_path / "ran"
    (copied / "tokenizing_mine.py").write_text(f"open({str(ran)!r}, 'w')\n", "utf-8")
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("a question was asked"))
    own = {"AutoTokenizer": ["tokenizing_mine.T", None]}
    rewrite(copied / "tokenizer_config.json", tokenizer_class="T", auto_map=own)
    with contextlib.suppress(InputError):  # transformers may have a tokenizer that fits
        opening(copied)
    assert not ran.exists()


def test_a_folder_without_tokenizer_is_refused(copied):
    for path in copied.glob("token*"):
        path.unlink()
    (copied / "special_tokens_map.json").unlink(missing_ok=True)
    assert refused(copied).code == "tokenizer_unreadable"


@pytest.mark.parametrize("device", ["tpu9", "cuda:77", ""])
def test_a_device_that_is_not_here_is_refused(tiny_folder, device):
    error = refused(tiny_folder("bert"), device)
    assert error.code == "device_unavailable"
    assert "cpu" in str(error.allowed)


def test_what_transformers_says_is_as_it_was_after_opening(tiny_folder):
    from transformers import dynamic_module_utils
    from transformers.utils import logging

    def settings():
        patience = dynamic_module_utils.TIME_OUT_REMOTE_CODE
        return logging.get_verbosity(), logging.is_progress_bar_enabled(), patience

    before = settings()
    opening(tiny_folder("bert"))
    assert settings() == before
    with loading.quiet():
        assert settings() != before
    with contextlib.suppress(ZeroDivisionError), loading.quiet():
        raise ZeroDivisionError
    assert settings() == before


def test_opening_says_nothing(tiny_folder, capfd):
    opening(tiny_folder("t5"))
    assert capfd.readouterr() == ("", "")
