"""What exists is found by file name; a package of somebody else adds to it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from supertune import registry
from supertune.contracts import Options, misfit
from supertune.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
FILES = ROOT / "src" / "supertune"
LOAD = {
    "tasks": registry.task,
    "backbones": registry.engine,
    "methods": registry.method,
    "objectives": registry.objective,
}


@pytest.mark.parametrize("group", sorted(LOAD))
def test_names_are_the_files_of_the_folder(group: str) -> None:
    stems = {path.stem for path in (FILES / group).iterdir() if not path.name.startswith("_")}
    families = {family.name for family in registry.families()} if group == "methods" else set()
    assert set(registry.names(group)) == stems - families
    assert stems


@pytest.mark.parametrize("group", sorted(LOAD))
def test_everything_registered_carries_its_key_and_a_summary(group: str) -> None:
    for name in registry.names(group):
        entry = LOAD[group](name)
        assert entry.name == name
        assert 10 <= len(entry.summary) <= 120
        assert "\n" not in entry.summary


def test_every_method_declares_what_it_needs_and_its_options() -> None:
    for method in registry.methods():
        assert issubclass(method.options, Options)
        assert method.options() is not None, "every option has a default"
        assert method.objectives


def test_methods_that_need_no_backbone_take_none() -> None:
    for method in registry.methods():
        refusal = misfit(method, "classify", None)
        assert (refusal is None) == (not method.needs and "classify" in method.objectives)


def test_an_objective_that_a_method_does_not_serve_is_refused_in_words() -> None:
    for method in registry.methods():
        if "denoise" not in method.objectives:
            refusal = misfit(method, "denoise", None)
            assert refusal is not None
            assert refusal.startswith(f"{method.name} serves")


@pytest.mark.parametrize(
    ("load", "name", "near"),
    [
        (registry.method, "lorra", "lora"),
        (registry.task, "text_clasification", "text_classification"),
        (registry.engine, "transformer", "transformers"),
    ],
)
def test_an_unknown_name_lists_what_exists_and_suggests_the_nearest(load, name, near) -> None:
    with pytest.raises(InputError) as caught:
        load(name)
    assert caught.value.received == name
    assert near in (caught.value.allowed or "").split(", ")
    assert caught.value.next == f"Did you mean '{near}'?"


SEEN = """
import json
from supertune import registry
print(json.dumps({group: registry.names(group) for group in ("tasks", "backbones", "methods")}))
"""


def test_an_installed_package_adds_a_task_an_engine_and_a_method(python, outside: Path) -> None:
    before, after = python(SEEN), python(SEEN, paths=[outside])
    assert after.returncode == 0, after.stderr
    added = {
        group: sorted(set(names) - set(json.loads(before.stdout)[group]))
        for group, names in json.loads(after.stdout).items()
    }
    assert added == {
        "tasks": ["two_labels"],
        "backbones": ["hashed_words"],
        "methods": ["character_bayes", "rs_lora"],
    }


def test_an_entry_point_that_does_not_load_is_an_error_with_its_cause(
    python, tmp_path: Path
) -> None:
    folder = tmp_path / "broken-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[supertune.methods]\nbroken = no_such_module:M\n")
    code = """
from supertune import registry
from supertune.errors import InputError
try:
    registry.method("broken")
except InputError as error:
    print(error.code, error.exit_code, error.received)
"""
    done = python(code, paths=[tmp_path])
    assert done.stdout.startswith("plugin_broken 2 ModuleNotFoundError"), done.stderr


ROWS = """
rows = [(f"{subject} {verb}", label)
        for label, verbs in (("praise", ["is a delight", "works beautifully", "was worth it",
                                         "made my day", "is simply lovely"]),
                             ("complaint", ["broke at once", "never arrived", "is a disgrace",
                                            "smells of glue", "refuses to start"]))
        for subject in ("The kettle", "This lamp", "My new radio") for verb in verbs]
"""


def test_an_outside_method_fits_predicts_and_reloads_like_our_own(
    python, outside: Path, tmp_path: Path
) -> None:
    code = f"""
import sys, supertune
{ROWS}
model = supertune.fit(rows, method="character_bayes", repeats=2, output=sys.argv[1])
print(model.method, *model.predict(["The clock works beautifully", "The clock never arrived"]))
print(model.predict_proba(["The clock made my day"]).tobytes().hex())
"""
    again = """
import sys, supertune
model = supertune.load(sys.argv[1])
print(model.predict_proba(["The clock made my day"]).tobytes().hex())
"""
    folder = str(tmp_path / "model")
    fitted = python(code, folder, paths=[outside])
    assert fitted.returncode == 0, fitted.stderr
    method, first = fitted.stdout.splitlines()[:2]
    assert method == "character_bayes praise complaint"
    reloaded = python(again, folder, paths=[outside])
    assert reloaded.stdout.splitlines() == [first], reloaded.stderr


def test_an_outside_task_reads_and_refuses_in_its_own_words(python, outside: Path) -> None:
    code = f"""
import supertune
from supertune.errors import InputError
{ROWS}
model = supertune.fit(rows, task="two_labels", method="bag_of_words", repeats=2)
print(model.task, model.report.data["metric"])
try:
    supertune.fit([*rows, ("It is blue", "neither"), ("It is big", "neither")], task="two_labels",
                  method="bag_of_words")
except InputError as error:
    print(error.code)
"""
    done = python(code, paths=[outside])
    assert done.stdout.split() == ["two_labels", "balanced_accuracy", "not_two_labels"], done.stderr


def test_an_outside_engine_offers_features_and_is_matched_before_it_is_opened(
    python, outside: Path
) -> None:
    code = """
import numpy as np
from supertune import registry
from supertune.contracts import BackboneRef, Encoding, misfit
ref = BackboneRef("hashed_words", "hashed_words")
engine = registry.engine("hashed_words")
offer = engine.offers(ref)
assert misfit(registry.method("linear_probe"), "classify", offer) is None
print(misfit(registry.method("lora"), "classify", offer))
backbone = engine.open(ref, device="cpu", threads=1)
tokens = backbone.tokens(["good good tea", "tea good good", "cold rain"], Encoding())
same, order, other = backbone.features(tokens, Encoding())
assert np.array_equal(same, order) and not np.array_equal(same, other)
assert same.shape == (offer.width,) and same.dtype == np.float32
"""
    done = python(code, paths=[outside])
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("lora needs ")
    assert done.stdout.strip().endswith("which hashed words lacks")


@pytest.mark.parametrize("name", ["rs_lora", "character_bayes"])
def test_the_guide_shows_the_outside_methods_as_they_are(name: str) -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    package = ROOT / "tests" / "outside" / "supertune_outside"
    assert (package / f"{name}.py").read_text("utf-8") in blocks


@pytest.mark.slow
def test_an_outside_gradient_method_is_trained_by_our_loop(python, outside: Path) -> None:
    code = f"""
import supertune
{ROWS}
keys = dict(backbone="minilm", folds=2, repeats=1, epochs=2, seed=3)
first = supertune.fit(rows, method="rs_lora", rank=4, **keys)
# q and v of the upper two of six blocks: 2 blocks x 2 modules x 2 x 384 x 4, and a head
print(first.method, first.report.data["tuned"]["parameters"] - 2 * 2 * 2 * 384 * 4)
print(*first.predict(["The clock works beautifully", "The clock never arrived"]))
"""
    done = python(code, paths=[outside], timeout=300)
    assert done.stdout.split("\n")[:2] == ["rs_lora 770", "praise complaint"], done.stderr
