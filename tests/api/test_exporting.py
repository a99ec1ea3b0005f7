"""`supertune.export`: what plain peft and plain transformers make of a tuned model."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import Files
from tests.contract.cases import lowest

import supertune
from supertune.errors import InputError
from supertune.model import Model
from supertune.opening import engine_of, reference
from supertune.pipeline import as_calibrated

FAST = {"folds": 2, "repeats": 1, "max_length": 16, "threads": 1}
KINDS: dict[str, dict[str, Any]] = {
    "lora": {"method": "lora", "rank": 2, "epochs": 2, "learning_rate": 0.01, "readout": "head"},
    "full": {"method": "full", "epochs": 1},
    "linear_probe": {"method": "linear_probe"},
}
# peft 0.21 asks transformers 5.23 for a property by its old name.
theirs = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")


@pytest.fixture(scope="module")
def fitted(
    reviews: Files, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Model, Path]]:
    known: dict[str, tuple[Model, Path]] = {}

    def model(kind: str) -> tuple[Model, Path]:
        if kind not in known:
            folder = tmp_path_factory.mktemp("models") / kind
            options = {**FAST, **KINDS[kind], "backbone": "minilm"}
            made = supertune.fit(reviews.train, test=reviews.test, output=folder, **options)
            known[kind] = made, folder
        return known[kind]

    return model


def hidden_of(model: Model, texts: list[str]) -> tuple[Any, dict[str, Any]]:
    """Our hidden states (rows, width, d) of one padded batch, and the batch."""
    import torch

    lens = model.workshop.lens(model.backbone)
    assert lens is not None
    backbone: Any = lens.backbone
    pieces = [pieces[0] for pieces in backbone.tokens(texts, lens.encoding)]
    batch = backbone.tensors(pieces, len(pieces), max(len(piece.ids) for piece in pieces))
    body = getattr(backbone, "body", backbone.model)
    tunable = getattr(model.tuned, "tunable", None)
    with torch.no_grad():
        if tunable is None:
            return body(**batch.inputs).last_hidden_state, batch.inputs
        with tunable:
            return body(**batch.inputs).last_hidden_state, batch.inputs


def run_page(folder: Path, texts: list[str], backbone: str) -> dict[str, Any]:
    """What the page's own lines leave behind, for these texts and this place of the backbone."""
    page = (folder / "README.md").read_text("utf-8")
    code = "\n".join(block.split("```")[0] for block in page.split("```python\n")[1:])
    code = code.replace('["one text", "another text"]', repr(texts))
    code = re.sub(r'(HERE, BASE = "\.", ).*', lambda found: found[1] + repr(backbone), code)
    said: dict[str, Any] = {}
    exec(code, said)
    return said


def base() -> Any:
    import torch
    from transformers import AutoModel

    from supertune.catalogue.resolve import resolve

    return AutoModel.from_pretrained(str(resolve("minilm").folder), dtype=torch.float32).eval()


@theirs
@pytest.mark.parametrize("exported", [False, True], ids=["model folder", "export"])
def test_plain_peft_computes_the_same_bits(fitted, reviews, tmp_path, exported) -> None:
    import torch
    from peft import PeftModel

    model, folder = fitted("lora")
    if exported:
        folder = tmp_path / "plain"
        supertune.export(model, folder)
    ours, batch = hidden_of(model, reviews.texts[:6])
    frozen = base()
    with torch.no_grad():
        before = frozen(**batch).last_hidden_state
        read = PeftModel.from_pretrained(frozen, str(folder)).eval()
        answer = read(**batch).last_hidden_state
    assert torch.equal(answer, ours)
    assert float((before - ours).abs().max()) > 1e-3, "the adapter changes something"


@pytest.mark.parametrize("kind", KINDS)
def test_merged_plain_transformers_computes_the_same(fitted, reviews, tmp_path, kind) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    model, folder = fitted(kind)
    done = supertune.export(folder, tmp_path / "plain", format="merged")
    assert done["changed"] == (kind != "linear_probe")
    assert done["difference"] <= 1e-5
    ours, batch = hidden_of(model, reviews.texts[:6])
    read = AutoModel.from_pretrained(str(tmp_path / "plain")).eval()
    with torch.no_grad():
        answer = read(**batch).last_hidden_state
    real = batch["attention_mask"].bool()
    assert float((answer - ours)[real].abs().max() / ours[real].abs().max()) <= 1e-5
    text = reviews.texts[0]
    words = AutoTokenizer.from_pretrained(str(tmp_path / "plain"))(text)["input_ids"][:15]
    assert batch["input_ids"][0, : len(words)].tolist() == words
    page = (tmp_path / "plain" / "README.md").read_text("utf-8")
    assert ("tunes nothing in the backbone" in page) == (kind == "linear_probe")


@theirs
@pytest.mark.parametrize(
    ("kind", "form"), [("lora", "peft"), ("lora", "merged"), ("full", "merged")]
)
def test_the_page_beside_it_gives_the_model_s_own_labels(
    fitted, reviews, tmp_path, monkeypatch, kind, form
) -> None:
    from supertune.catalogue.resolve import resolve

    model, _ = fitted(kind)
    supertune.export(model, tmp_path / "plain", format=form)
    texts = [text for text, _ in reviews.held[:8]]
    monkeypatch.chdir(tmp_path / "plain")
    said = run_page(tmp_path / "plain", texts, str(resolve("minilm").folder))
    assert said["labels"] == model.predict(texts).tolist()


@theirs
@pytest.mark.parametrize("form", ["peft", "merged"])
@pytest.mark.parametrize("family", ["gpt2", "llama", "t5", "distilbert"])
def test_the_page_is_right_for_other_families(
    tiny_folder, tmp_path, monkeypatch, family, form
) -> None:
    rows = [("a good film", "a"), ("very good", "a"), ("bad and dull", "b"), ("a long bad", "b")]
    folder = str(tiny_folder(family))
    options = {**FAST, **KINDS["lora"], "epochs": 3, "backbone": folder}
    model = supertune.fit(rows, **options)
    supertune.export(model, tmp_path / "plain", format=form)
    texts = ["good", "dull bad story", "the film was a story of two"]
    monkeypatch.chdir(tmp_path / "plain")
    said = run_page(tmp_path / "plain", texts, folder)
    assert said["labels"] == model.predict(texts).tolist()
    logits = model.tuned.logits(texts, model.workshop.lens(model.backbone))
    scores = as_calibrated(logits, model.calibration)
    np.testing.assert_allclose(said["scores"].numpy(), scores, atol=1e-4)
    if form == "merged":
        config = json.loads((tmp_path / "plain" / "config.json").read_text("utf-8"))
        before = json.loads(Path(folder, "config.json").read_text("utf-8"))
        assert config["architectures"] == before["architectures"], "no head is lost"


def test_a_merged_folder_is_a_backbone(fitted, reviews, tmp_path) -> None:
    model, _ = fitted("lora")
    plain = tmp_path / "plain"
    supertune.export(model, plain, format="merged")
    options = {**FAST, "method": "linear_probe"}
    again = supertune.fit(reviews.train, backbone=str(plain), **options)
    ours, theirs = (one.workshop.lens(one.backbone) for one in (model, again))
    assert ours is not None
    assert theirs is not None
    for name in ("pooling", "normalize", "max_length", "width", "depth", "languages"):
        assert getattr(ours.backbone.offer, name) == getattr(theirs.backbone.offer, name)


def test_no_file_names_a_place_on_this_machine(fitted, tmp_path) -> None:
    from supertune.catalogue.resolve import resolve

    own = tmp_path / "somebodys" / "own-backbone"
    shutil.copytree(resolve("minilm").folder, own)
    rows = [("good and fine", "a"), ("so good", "a"), ("bad and dull", "b"), ("so bad", "b")]
    options = {**FAST, **KINDS["lora"], "epochs": 1, "backbone": str(own)}
    model = supertune.fit(rows, output=tmp_path / "m", **options)
    config = json.loads((tmp_path / "m" / "adapter_config.json").read_text("utf-8"))
    assert config["base_model_name_or_path"] == "own-backbone"
    supertune.export(model, tmp_path / "plain")
    supertune.export(model, tmp_path / "merged", format="merged")
    for path in (*(tmp_path / "plain").iterdir(), *(tmp_path / "merged").iterdir()):
        if path.is_file():
            assert b"somebodys" not in path.read_bytes(), path.name


def test_what_cannot_be_exported_says_why(fitted, words, tmp_path) -> None:
    def refused(model: Any, **options: Any) -> InputError:
        with pytest.raises(InputError) as caught:
            supertune.export(model, tmp_path / "plain", **options)
        assert list(tmp_path.iterdir()) == []
        return caught.value

    assert refused(words).code == "nothing_to_export"
    full = refused(fitted("full")[0])
    assert (full.code, "--format merged" in str(full.next)) == ("no_adapter", True)
    probe = refused(fitted("linear_probe")[0])
    assert (probe.code, "the head in a file beside" in str(probe.next)) == ("no_adapter", True)
    assert refused(tmp_path / "nowhere").code == "model_missing"


def test_only_an_export_is_replaced_and_only_when_asked(fitted, tmp_path) -> None:
    model, folder = fitted("lora")
    plain = tmp_path / "plain"
    first = supertune.export(model, plain)
    with pytest.raises(InputError, match="exists already") as caught:
        supertune.export(model, plain)
    assert caught.value.code == "output_exists"
    again = supertune.export(model, plain, overwrite=True)
    assert again["files"] == first["files"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plain"]
    (plain / "mine.txt").write_text("mine")
    with pytest.raises(InputError) as caught:
        supertune.export(model, plain, overwrite=True)
    assert caught.value.code == "output_holds_other_files"
    with pytest.raises(InputError) as caught:
        supertune.export(model, folder, overwrite=True)
    assert caught.value.code == "output_not_a_model"


def test_a_failure_half_way_leaves_what_was_there(fitted, tmp_path, monkeypatch) -> None:
    from supertune.api import exporting

    model, _ = fitted("lora")
    plain = tmp_path / "plain"
    supertune.export(model, plain)
    before = {path.name: path.read_bytes() for path in plain.iterdir()}
    monkeypatch.setattr(exporting, "SAME", -1.0)
    with pytest.raises(InputError) as caught:
        supertune.export(model, plain, format="merged", overwrite=True)
    assert caught.value.code == "merge_differs"
    assert {path.name: path.read_bytes() for path in plain.iterdir()} == before
    assert list(tmp_path.iterdir()) == [plain]


def test_the_head_is_laid_down_as_torch_has_linear_layers(fitted, tmp_path) -> None:
    from safetensors.numpy import load_file

    model, _ = fitted("lora")
    supertune.export(model, tmp_path / "plain")
    head = load_file(tmp_path / "plain" / "head.safetensors")
    own = model.tuned.state().arrays
    assert np.array_equal(head["weight"], own["head.weight"].T)
    assert np.array_equal(head["bias"], own["head.bias"])


@theirs
@pytest.mark.parametrize("exported", [False, True], ids=["model folder", "export"])
@pytest.mark.parametrize("method", ["prompt_tuning", "prefix_tuning", "p_tuning", "ia3"])
def test_plain_peft_computes_the_same_bits_of_what_it_put_before_the_text(
    tiny_folder, tmp_path, method, exported
) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModel

    where = str(tiny_folder("bert"))
    rows = [("a good film", "a"), ("very good", "a"), ("bad and dull", "b"), ("a long bad", "b")]
    options = {**FAST, "method": method, "epochs": 5, "learning_rate": 0.1}
    model = supertune.fit(rows, output=tmp_path / "m", backbone=where, **options)
    folder = tmp_path / "m"
    if exported:
        folder = tmp_path / "plain"
        supertune.export(model, folder)
    backbone: Any = model.workshop.lens(where).backbone  # type: ignore[union-attr]
    lens = model.workshop.lens(where)
    pieces = [p[0] for p in backbone.tokens(["good", "dull bad story"], lens.encoding)]  # type: ignore[union-attr]
    batch = backbone.tensors(pieces, 2, max(len(piece.ids) for piece in pieces))
    frozen = AutoModel.from_pretrained(where, dtype=torch.float32).eval()
    tunable: Any = model.tuned.tunable  # type: ignore[attr-defined]
    with torch.no_grad():
        plain = frozen(**batch.inputs).last_hidden_state
        with tunable:
            longer = batch if backbone.extend is None else backbone.extend(batch)
            ours = backbone.body(**longer.inputs).last_hidden_state
        answer = PeftModel.from_pretrained(frozen, str(folder)).eval()(**batch.inputs)
    theirs = answer.last_hidden_state
    assert torch.equal(theirs, ours)
    width = plain.shape[1]
    assert float((theirs[:, -width:] - plain).abs().max()) > 1e-3


def test_a_graph_answers_without_supertune_or_torch(fitted, reviews, tmp_path) -> None:
    model, _ = fitted("lora")
    done = supertune.export(model, tmp_path / "graph", format="onnx")
    assert done["difference"] <= 1e-4
    assert model.training_rows is not None
    assert (done["rows"], done["answers_changed"]) == (len(model.training_rows), 0)
    texts = [text for text, _ in reviews.held[:8]]
    program = [sys.executable, str(tmp_path / "graph" / "predict.py"), *texts]
    ran = subprocess.run(program, capture_output=True, text=True, encoding="utf-8", check=True)
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [one["answer"] for one in found] == model.predict(texts).tolist()
    shares = np.array([one["probabilities"] for one in found])
    np.testing.assert_allclose(shares, model.predict_proba(texts), atol=2e-4)
    again = engine_of(str(tmp_path / "graph"))
    graph: Any = again.open(reference(str(tmp_path / "graph")), device="cpu", threads=1)
    encoding = model.workshop.lens(model.backbone).encoding  # type: ignore[union-attr]
    vectors = graph.features(graph.tokens(texts, encoding), encoding)
    np.testing.assert_allclose(vectors, own_vectors(model, texts), atol=1e-4)
    said = (tmp_path / "graph" / "predict.py").read_text("utf-8")
    assert "import supertune" not in said
    assert "torch" not in said


def test_eight_bits_of_a_causal_model_take_a_quarter_and_say_what_they_change(
    own_activations, reviews, tmp_path
) -> None:
    """Its graph was within 1e-4 before: more is refused."""
    backbone = lowest("smollm2", 1, tmp_path)
    model = supertune.fit(reviews.train, backbone=backbone, method="linear_probe", **FAST)
    done = supertune.export(model, tmp_path / "small", format="onnx", int8=True)
    assert done["answers_changed"] <= 0.02
    assert 1e-6 < done["difference"] < 0.1
    assert done["bytes"] < 45_000_000, "of 129 MB, most of it a table of words"


def test_what_is_no_graph_says_why(fitted, words, tmp_path) -> None:
    def refused(model: Any, **options: Any) -> str:
        with pytest.raises(InputError) as caught:
            supertune.export(model, tmp_path / "graph", **options)
        assert list(tmp_path.iterdir()) == []
        return caught.value.code

    assert refused(words, format="onnx") == "nothing_to_export"
    assert refused(fitted("lora")[0], int8=True) == "not_for_this_format"


@pytest.fixture(scope="module")
def sentences(fitted, tmp_path_factory) -> Path:
    folder: Path = tmp_path_factory.mktemp("plain") / "sentences"
    done = supertune.export(fitted("lora")[0], folder, format="sentence-transformers")
    assert done["difference"] <= 1e-5
    return folder


def own_vectors(model: Model, texts: list[str]) -> Any:
    lens = model.workshop.lens(model.backbone)
    assert lens is not None
    with model.tuned.tunable:  # type: ignore[attr-defined]
        return lens.backbone.features(lens.backbone.tokens(texts, lens.encoding), lens.encoding)


def test_sentence_transformers_gives_the_vectors_that_the_head_reads(
    fitted, reviews, sentences
) -> None:
    pytest.importorskip("sentence_transformers", reason="it is in the extra bench")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own imports
        from sentence_transformers import SentenceTransformer

        theirs = SentenceTransformer(str(sentences), device="cpu").encode(reviews.texts[:6])
    ours = own_vectors(fitted("lora")[0], reviews.texts[:6])
    np.testing.assert_allclose(theirs, ours, atol=1e-5)


def test_its_files_say_how_the_model_pools_cuts_and_scales(fitted, sentences) -> None:
    def read(name: str) -> Any:
        return json.loads((sentences / name).read_text("utf-8"))

    assert [one["type"].rpartition(".")[2] for one in read("modules.json")] == [
        *("Transformer", "Pooling", "Normalize")
    ]
    pooling = read("1_Pooling/config.json")
    assert [name for name, on in pooling.items() if on is True] == ["pooling_mode_mean_tokens"]
    assert read("sentence_bert_config.json")["max_seq_length"] == FAST["max_length"]
    assert (sentences / "head.safetensors").is_file()
    assert "SentenceTransformer" in (sentences / "README.md").read_text("utf-8")
    assert fitted("lora")[0].workshop.offer(str(sentences)).normalize


def test_two_stacks_make_no_sentence_embeddings(tiny_folder, tmp_path) -> None:
    rows = [("a good film", "good"), ("very good", "good"), ("bad", "bad"), ("a long bad", "bad")]
    folder = str(tiny_folder("t5"))
    model = supertune.fit(rows, **FAST, method="linear_probe", backbone=folder)
    with pytest.raises(InputError) as caught:
        supertune.export(model, tmp_path / "plain", format="sentence-transformers")
    assert caught.value.code == "no_sentence_embeddings"
    assert list(tmp_path.iterdir()) == []
