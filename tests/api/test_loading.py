"""`supertune.load` on folders that other libraries wrote."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import Files

import supertune
from supertune.catalogue.resolve import resolve
from supertune.errors import InputError

FAST = {"folds": 2, "repeats": 1, "max_length": 16, "threads": 1}
ROWS = [("a good film", "a"), ("very good", "a"), ("bad and dull", "b"), ("a long bad", "b")]
TEXTS = ["good", "dull bad story", "the film was a story of two"]
# peft 0.21 asks transformers 5.23 for a property by its old name.
theirs = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")


def refused(folder: Path, **options: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        supertune.load(folder, **options)
    return caught.value


@pytest.fixture(scope="module")
def exported(reviews: Files, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A LoRA on minilm, and its export for plain peft; not to be written to."""
    options = {**FAST, "method": "lora", "rank": 2, "epochs": 2, "learning_rate": 0.01}
    model = supertune.fit(reviews.train, test=reviews.test, backbone="minilm", **options)
    folder = tmp_path_factory.mktemp("exports") / "plain"
    supertune.export(model, folder)
    return model, folder


@pytest.fixture
def bare(exported: tuple[Any, Path], tmp_path: Path) -> Path:
    """What peft alone would have written of it."""
    folder = tmp_path / "bare"
    folder.mkdir()
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copy(exported[1] / name, folder / name)
    return folder


def _adapter(model: Any, folder: Path, **settings: Any) -> Path:
    """What peft writes of an adapter whose numbers all differ from where they began."""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    wrapped = get_peft_model(model, LoraConfig(r=2, **settings))
    with torch.no_grad():
        for parameter in wrapped.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.5)
    wrapped.save_pretrained(str(folder))
    (folder / "training_args.bin").write_bytes(b"whatever lies beside it is not opened")
    return folder


# --- peft -------------------------------------------------------------------------------------


def test_an_export_is_read_back_and_answers_alike(exported, reviews) -> None:
    model, folder = exported
    again = supertune.load(folder)
    assert again.predict_proba(reviews.texts).tobytes() == (
        model.predict_proba(reviews.texts).tobytes()
    )
    assert (again.labels, again.method, again.backbone) == (model.labels, "peft:LORA", "minilm")
    assert "model.evaluate" in str(again.report)
    assert "model.evaluate" in again._repr_html_()
    found = again.evaluate(reviews.test)
    assert found["estimate"]["value"] == model.evaluate(reviews.test)["estimate"]["value"]
    assert found["baselines"] == {}


def test_what_is_read_back_can_be_exported_again(exported, tmp_path) -> None:
    _, folder = exported
    again = supertune.load(folder)
    supertune.export(again, tmp_path / "twice")
    for name in ("adapter_model.safetensors", "head.safetensors"):
        assert (tmp_path / "twice" / name).read_bytes() == (folder / name).read_bytes()
    assert supertune.export(again, tmp_path / "merged", format="merged")["difference"] <= 1e-5


def test_what_was_trained_elsewhere_is_saved_with_a_report_of_what_is_not_known(
    exported, bare, reviews, python, tmp_path
) -> None:
    for source, given in ((exported[1], {}), (bare, {"rows": reviews.train})):
        model = supertune.load(source, backbone="minilm", **given)
        folder = model.save(tmp_path / f"saved-{source.name}")
        report = json.loads((folder / "report.json").read_text("utf-8"))
        assert (report["estimate"], report["test"], report["elsewhere"]) == (None, None, True)
        assert [one["code"] for one in report["findings"]] == ["fitted_elsewhere"]
        assert "repeat" not in report["commands"]
        for name in ("report.html", "README.md"):
            page = (folder / name).read_text("utf-8")
            assert "elsewhere" in page
            assert "0 labelled rows" not in page
        again = supertune.load(folder)
        assert again.predict_proba(reviews.texts).tobytes() == (
            model.predict_proba(reviews.texts).tobytes()
        )
        assert "supertune evaluate" in str(again.report)
        assert again.evaluate(reviews.test)["baselines"] == {}
        supertune.export(again, tmp_path / f"{source.name}-again")
    code = """
import sys, supertune
print(supertune.load(sys.argv[1]).predict_proba(["a good film"]).tobytes().hex())
"""
    done = python(code, str(folder))
    assert done.stdout.strip() == model.predict_proba(["a good film"]).tobytes().hex()
    with pytest.raises(InputError) as caught:
        supertune.fit(reviews.train, from_=folder)
    assert caught.value.code == "no_rows_kept"


def test_a_head_is_fitted_on_rows_where_there_is_none(bare, exported, reviews) -> None:
    model = supertune.load(bare, backbone="minilm", rows=reviews.train)
    assert model.labels == exported[0].labels
    assert model.columns.text == ("sentence",)
    answers = model.predict([text for text, _ in reviews.rows])
    assert (answers == np.array([label for _, label in reviews.rows])).mean() >= 0.9


def test_what_a_bare_adapter_lacks_is_asked_for(bare, exported, tiny_folder) -> None:
    labels = list(exported[0].labels)
    assert refused(bare).code == "labels_needed", "the hub id in it is that of minilm"
    missing = refused(bare, labels=labels)
    assert (missing.code, 'rows="rows.csv"' in str(missing.next)) == ("head_needed", True)
    words = refused(bare, template="{text}: {answer}", words={"a": ["good"], "b": ["bad"]})
    assert words.code == "verbalizer_impossible"
    config = json.loads((bare / "adapter_config.json").read_text("utf-8"))
    config["base_model_name_or_path"] = "/somewhere/else/gone"
    (bare / "adapter_config.json").write_text(json.dumps(config), "utf-8")
    gone = refused(bare, labels=labels)
    assert (gone.code, gone.received) == ("backbone_needed", "/somewhere/else/gone")
    other = refused(bare, labels=labels, backbone=str(tiny_folder("bert")))
    assert other.code == "adapter_mismatch"


def test_a_head_beside_the_adapter_needs_as_many_labels(bare, exported, reviews) -> None:
    shutil.copy(exported[1] / "head.safetensors", bare)
    assert refused(bare, labels=["one"]).code == "head_mismatch"
    model = supertune.load(bare, labels=["no", "yes"])
    assert set(model.predict(reviews.texts)) <= {"no", "yes"}


@theirs
@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "gpt2", "llama"])
def test_what_peft_trained_on_a_classifier_is_read_whatever_stands_before_its_names(
    tiny_folder, tmp_path, family
) -> None:
    import torch
    from transformers import AutoModel, AutoModelForSequenceClassification

    where = str(tiny_folder(family))
    names = {"gpt2": ["c_attn"], "llama": ["q_proj"], "distilbert": ["q_lin"]}
    settings: dict[str, Any] = {"target_modules": names.get(family, ["query"])}
    settings |= {"task_type": "SEQ_CLS", "fan_in_fan_out": family == "gpt2"}
    whole = AutoModelForSequenceClassification.from_pretrained(where, num_labels=2)
    whole.config.pad_token_id = 2
    folder = _adapter(whole, tmp_path / "peft", **settings)
    model = supertune.load(folder, backbone=where, rows=ROWS)
    lens = model.workshop.lens(where)
    backbone: Any = lens.backbone  # type: ignore[union-attr]
    ((piece,),) = backbone.tokens(TEXTS[2:], lens.encoding)  # type: ignore[union-attr]
    with torch.no_grad():
        ids = torch.tensor([piece.ids])
        theirs = getattr(whole, whole.base_model_prefix)(ids).last_hidden_state
        plain = AutoModel.from_pretrained(where)(ids).last_hidden_state
        with model.tuned.tunable:  # type: ignore[attr-defined]
            ours = getattr(backbone, "body", backbone.model)(ids).last_hidden_state
    assert float((theirs - ours).abs().max()) <= 1e-6
    assert float((theirs - plain).abs().max()) > 1e-3
    if family in ("gpt2", "llama"):
        causal = supertune.load(folder, backbone=where, labels=["a", "b"])
        with torch.no_grad():
            wanted = whole(ids).logits.numpy()
        np.testing.assert_allclose(causal.tuned.logits(TEXTS[2:], lens), wanted, atol=1e-5)
    else:
        other = refused(folder, backbone=where, labels=["a", "b"])
        assert other.code == "head_needed"
        assert "classifier" in str(other.received)


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("adapter_config.json", b"{", "file_damaged"),
        ("adapter_config.json", b"[]", "file_damaged"),
        ("adapter_config.json", b'{"r": 2}', "file_damaged"),
        ("adapter_config.json", b'{"peft_type": "NEW_ONE"}', "unknown_peft_type"),
        ("adapter_model.safetensors", b"torn", "tensors_unreadable"),
        ("adapter_model.safetensors", None, "file_missing"),
    ],
)
def test_a_damaged_adapter_is_refused(bare, name, content, code) -> None:
    (bare / name).unlink()
    if content is not None:
        (bare / name).write_bytes(content)
    assert refused(bare, backbone="minilm", labels=["a", "b"]).code == code


def test_a_pickled_adapter_is_refused_with_how_to_convert_it(bare) -> None:
    (bare / "adapter_model.safetensors").rename(bare / "adapter_model.bin")
    error = refused(bare, labels=["a", "b"])
    assert error.code == "pickled_weights"
    assert "weights_only=True" in str(error.next)


def test_a_model_folder_of_ours_knows_its_labels(words) -> None:
    assert refused(words, labels=["a", "b"]).code == "labels_known"
    assert supertune.load(words).method == "bag_of_words"


# --- setfit -----------------------------------------------------------------------------------


class Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("the pickle was opened",)


@pytest.fixture
def setfit(own_activations: Path, tmp_path: Path) -> Path:
    """A SetFit folder: a sentence-transformers folder, a pickled head, and its config."""
    folder = tmp_path / "setfit"
    shutil.copytree(resolve("minilm").folder, folder)
    (folder / "supertune-origin.json").unlink()
    about = {"normalize_embeddings": False, "labels": ["negative", "positive"]}
    (folder / "config_setfit.json").write_text(json.dumps(about), "utf-8")
    (folder / "model_head.pkl").write_bytes(pickle.dumps(Trap()))
    return folder


def test_the_pickled_head_of_setfit_is_never_read(setfit) -> None:
    error = refused(setfit)
    assert error.code == "pickled_head"
    assert f"supertune fit ROWS.csv --backbone {setfit}" in str(error.next)


def test_with_rows_a_head_is_fitted_again_on_a_setfit_folder(setfit, reviews) -> None:
    model = supertune.load(setfit, rows=reviews.train)
    assert (model.method, model.labels) == ("linear_probe", ("negative", "positive"))
    assert len(model.predict(reviews.texts)) == 20


def test_a_setfit_folder_is_a_backbone_as_it_stands(setfit, reviews) -> None:
    options = {**FAST, "method": "linear_probe"}
    plain, other = (
        supertune.fit(reviews.train, backbone=name, **options) for name in ("minilm", str(setfit))
    )
    assert (
        plain.predict_proba(reviews.texts).tolist() == other.predict_proba(reviews.texts).tolist()
    )


# --- words ------------------------------------------------------------------------------------


@theirs
def test_without_a_head_labels_are_asked_for_in_words(tiny_folder, tmp_path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where = str(tiny_folder("llama"))
    whole = AutoModelForCausalLM.from_pretrained(where)
    settings = {"target_modules": ["q_proj", "v_proj"], "task_type": "CAUSAL_LM"}
    folder = _adapter(whole, tmp_path / "peft", **settings)
    words = {"pos": ["good"], "neg": ["bad"]}
    given = {"template": "the film {text} was {answer}", "words": words}
    model = supertune.load(folder, backbone=where, **given)
    assert model.labels == ("pos", "neg")
    tokenizer = AutoTokenizer.from_pretrained(where)
    ids = tokenizer("the film a dull story was", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        scores = whole(ids).logits[0, -1].log_softmax(-1)
    wanted = scores[tokenizer.convert_tokens_to_ids(["good", "bad"])].softmax(-1).numpy()
    np.testing.assert_allclose(model.predict_proba(["a dull story"])[0], wanted, atol=1e-5)
    supertune.export(model, tmp_path / "plain")
    again = supertune.load(tmp_path / "plain", backbone=where)
    assert again.predict_proba(TEXTS).tolist() == model.predict_proba(TEXTS).tolist()
    missing = refused(
        folder,
        backbone=where,
        template="{text} {answer}",
        words={"pos": ["good"]},
        labels=["pos", "neg"],
    )
    assert missing.code == "prompt_incomplete"
