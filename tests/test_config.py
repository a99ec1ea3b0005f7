"""A recipe is frozen, validated as a whole, and refuses what it does not know."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from supertune import registry
from supertune.config import Recipe, method_options, parse_settings, read_recipe, recipe
from supertune.errors import InputError

ROOT = Path(__file__).resolve().parents[1]


def refused(values: dict[str, object]) -> InputError:
    with pytest.raises(InputError) as caught:
        recipe(values)
    return caught.value


def test_an_empty_recipe_is_text_classification_with_everything_auto_in_60_seconds() -> None:
    chosen = recipe({})
    assert (chosen.task, chosen.backbone, chosen.method) == ("text_classification", "auto", "auto")
    assert chosen.time_limit == 60
    assert chosen.seed == 0


def test_a_recipe_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValidationError):
        recipe({}).seed = 1  # type: ignore[misc]


def test_a_recipe_survives_json() -> None:
    chosen = recipe({"method": "lora", "folds": 3, "class_weights": {"spam": 2.0}})
    assert recipe(json.loads(chosen.model_dump_json())) == chosen


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("folds", 1),
        ("folds", 51),
        ("folds", "many"),
        ("repeats", 0),
        ("seed", -1),
        ("seed", 2**32),
        ("time_limit", 0),
        ("time_limit", -5),
        ("max_candidates", 0),
        ("max_length", 4),
        ("long_text", "cut"),
        ("pooling", "largest"),
        ("threads", 0),
        ("class_weights", "balance"),
        ("cost_matrix", [["dear"]]),
    ],
)
def test_a_value_outside_its_range_is_refused_with_what_was_received(key, value) -> None:
    error = refused({key: value})
    assert error.code == "bad_recipe"
    assert error.exit_code == 2
    assert error.received is not None
    assert error.received.startswith(key)


def test_an_unknown_key_suggests_the_nearest() -> None:
    error = refused({"fold": 5})
    assert error.received == "fold: unknown key, did you mean 'folds'?"
    assert "folds" in (error.allowed or "")


def test_all_mistakes_come_in_one_message() -> None:
    error = refused({"folds": 0, "seed": -1, "tyme": "date"})
    received = (error.received or "").split("; ")
    assert sorted(line.split(":")[0] for line in received) == ["folds", "seed", "tyme"]


@pytest.mark.parametrize("name", registry.names("methods"))
def test_no_key_of_a_method_is_hidden_by_one_of_the_recipe(name: str) -> None:
    assert set(registry.method(name).options.model_fields) & set(Recipe.model_fields) == set()


@pytest.mark.parametrize("name", registry.names("methods"))
def test_the_keys_of_the_method_named_are_taken_and_others_refused(name: str) -> None:
    for key, field in registry.method(name).options.model_fields.items():
        default = field.get_default(call_default_factory=True)
        chosen = recipe({"method": name, key: default})
        assert chosen.options == {key: default}
        assert getattr(method_options(chosen), key) == default
    error = refused({"method": name, "no_such_key": 1})
    assert (error.received or "").startswith("no_such_key: unknown key")
    assert f"for {name} also:" in (error.allowed or "")


def test_a_bad_value_of_a_method_key_names_the_method() -> None:
    error = refused({"method": "lora", "rank": -1})
    assert error.code == "bad_option"
    assert "'lora'" in error.message
    assert (error.received or "").startswith("rank")


def test_options_of_another_method_are_not_handed_over() -> None:
    chosen = recipe({"method": "lora", "rank": 2})
    assert method_options(chosen, "linear_probe") == registry.method("linear_probe").options()


def test_settings_are_json_where_they_parse_and_text_where_not() -> None:
    given = ["rank=4", "label=topic", "template={title}: {body}", "pair=true", " folds =3", "a=b=c"]
    assert parse_settings(given) == {
        "rank": 4,
        "label": "topic",
        "template": "{title}: {body}",
        "pair": True,
        "folds": 3,
        "a": "b=c",
    }


@pytest.mark.parametrize("pair", ["rank", "=4", "", " =1"])
def test_a_setting_without_key_or_sign_is_refused(pair: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_settings([pair])
    assert caught.value.code == "bad_setting"
    assert caught.value.received == pair


def test_words_of_labels_may_be_one_or_several_and_numbers_are_texts(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("verbalizer: {1: bad, good: [fine, 5]}\n")
    chosen = recipe(read_recipe(tmp_path / "recipe.yaml"))
    assert chosen.verbalizer == {"1": "bad", "good": ("fine", "5")}
    assert recipe(chosen.model_dump(mode="json")) == chosen


@pytest.mark.parametrize("given", ["yes", ["x"], {"a": {"b": "c"}}, {"a": True}, {True: "a"}])
def test_words_that_are_no_texts_are_refused(given: object) -> None:
    error = refused({"verbalizer": given})
    assert error.code == "bad_recipe"
    assert "verbalizer" in str(error.received)


def test_a_yaml_and_a_json_file_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("# 20 s, about 0.9\nmethod: lora\nfolds: 3\n", "utf-8-sig")
    (tmp_path / "a.json").write_text('{"method": "lora", "folds": 3}', "utf-8")
    assert read_recipe(tmp_path / "a.yaml") == read_recipe(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "recipe_missing"),
        (b"method: [lora", "recipe_unreadable"),
        (b"- method\n- folds\n", "recipe_unreadable"),
        (b"", "recipe_unreadable"),
        (b"\xff\xfe\x00\xd8", "recipe_unreadable"),
        (b"method: !!python/object/apply:os.getcwd []\n", "recipe_unreadable"),
    ],
)
def test_a_recipe_file_that_cannot_be_read_is_refused(tmp_path: Path, content, code) -> None:
    path = tmp_path / "recipe.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_recipe(path)
    assert caught.value.code == code


def test_a_folder_is_no_recipe_file(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_recipe(tmp_path)
    assert caught.value.code == "recipe_unreadable"


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda p: p.name)
def test_every_shipped_recipe_opens_with_command_time_and_score_and_is_valid(path: Path) -> None:
    opening = "\n".join(path.read_text("utf-8").splitlines()[:6])
    assert re.search(r"# .*supertune fit --recipe", opening), opening
    assert re.search(r"\d+ s\b", opening), opening
    assert re.search(r"0?\.\d+|\d+ %|chrf \d+ \[", opening), opening
    values = read_recipe(path)
    values.pop("data", None)
    values.pop("test", None)
    assert isinstance(recipe(values), Recipe)
