"""``supertune backbones``: engines, what they can open now, and which methods fit."""

from __future__ import annotations

from pathlib import Path

from supertune import registry
from supertune.catalogue import entries
from supertune.catalogue.resolve import resolve


def in_hub_cache(folder: Path, repository: str) -> Path:
    kept = folder / f"models--{repository.replace('/', '--')}"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text("abc")
    return kept / "snapshots" / "abc"


def test_a_machine_that_has_nothing_knows_what_each_could_do(supertune, empty_cache: Path) -> None:
    done = supertune("backbones", "--json")
    assert (done.code, done.err) == (0, "")
    assert [each["name"] for each in done.answer["engines"]] == list(registry.names("backbones"))
    told = {each["name"]: each for each in done.answer["backbones"]}
    names = [entry.name for entry in entries.models()]
    files = ["keras", "onnx"]  # of whom the most they offer is told
    assert list(told) == ["none", *names, *files, "openai:MODEL"]
    for entry in entries.models():
        each = told[entry.name]
        assert (each["fetched"], each["engine"]) == (False, entry.engine)
        assert each["offer"]["width"] == entry.offer.width
        if entry.offer.modality == "text" and "features" in entry.offer.capabilities:
            assert "lora" in each["methods"]["text_classification"]
    assert "offer" not in told["none"]
    assert "bag_of_words" in told["none"]["methods"]["text_classification"]
    assert done.answer["next"][0] == "supertune models pull minilm"


def test_models_in_the_hubs_cache_are_listed_by_their_id(
    supertune, empty_cache: Path, tmp_path: Path
) -> None:
    snapshot = in_hub_cache(tmp_path / "hub", "owner/small-xlm")
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text(
        '{"model_type": "xlm-roberta", "architectures": ["XLMRobertaModel"], "hidden_size": 8,'
        ' "num_hidden_layers": 2, "max_position_embeddings": 66}'
    )
    (snapshot / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    odd = in_hub_cache(tmp_path / "hub", "owner/odd")
    odd.mkdir(parents=True)
    (odd / "config.json").write_text('{"auto_map": {"AutoModel": "code.py"}}')
    (odd / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")

    told = {each["name"]: each for each in supertune("backbones", "--json").answer["backbones"]}
    small = told["owner/small-xlm"]
    assert (small["fetched"], small["path"]) == (True, str(snapshot))
    assert (small["offer"]["width"], small["offer"]["languages"]) == (8, ["*"])
    assert "program code" in told["owner/odd"]["problem"]
    assert told["owner/odd"]["methods"]["text_classification"] == []
    out = supertune("backbones").out
    assert "owner/small-xlm" in out
    assert "program code" in " ".join(out.split())
    assert "owner/small-xlm" in {e["name"] for e in supertune("models", "--json").answer["hub"]}


def test_a_fetched_model_is_shown_with_its_folder(supertune) -> None:
    folder = resolve("minilm").folder
    told = {each["name"]: each for each in supertune("backbones", "--json").answer["backbones"]}
    assert Path(told["minilm"]["path"]).samefile(folder)
    out = supertune("backbones").out
    row = next(line.split() for line in out.splitlines() if line.startswith("minilm"))
    assert row[:6] == ["minilm", "encoder", "384", "6", "en", "cached"]
    assert "Next\n" in out
