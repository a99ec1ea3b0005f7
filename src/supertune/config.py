"""The recipe: everything that decides the outcome of a fit, frozen and validated.

Unknown keys are refused with the nearest known one. All mistakes are collected and raised
together. The *resolved* recipe (nothing "auto" left) is written into the model folder.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from supertune import registry
from supertune.contracts import Options, Pooling, ResizeMode, options_of
from supertune.contracts.remote import Api, consented
from supertune.errors import InputError
from supertune.limits import parse_bytes, parse_share


class Recipe(BaseModel):
    """What to fit and how; ``supertune fit --set key=value`` sets one key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str = "text_classification"
    backbone: str = Field("auto", description="catalogue name, hub id, folder, 'auto' or 'none'")
    method: str = Field("auto", description="a name from `supertune methods`, or 'auto'")
    metric: str | None = Field(None, description="what is optimised; the task's own by default")
    time_limit: float = Field(60.0, gt=0, description="seconds for the whole fit")
    memory_limit: int | None = Field(
        None, gt=0, description="bytes that the process may hold, or '4GB'; what is free by default"
    )
    max_error: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="share of wrong answers among those given that predictions keep to with 95 % "
        "confidence, or '5%'; the model abstains from the rest",
    )
    max_candidates: int | None = Field(None, ge=1, description="fixed number instead of the clock")
    search: int = Field(
        0, ge=0, le=1000, description="settings of the chosen method to try, by Optuna"
    )
    seed: int = Field(0, ge=0, lt=2**32)
    folds: int = Field(5, ge=2, le=50)
    repeats: int = Field(10, ge=1, le=200)
    unlabeled_rows: int | None = Field(
        None, ge=1, description="most unlabelled rows used; by default as many as there is time for"
    )
    max_length: int = Field(256, ge=8, description="tokens read of each text")
    long_text: Literal["truncate", "head_tail", "chunk"] = "truncate"
    pooling: Pooling | None = None
    prefix: str | None = None
    resolution: int | None = Field(
        None, ge=14, le=2048, description="pixels a side that pictures are read at"
    )
    resize_mode: ResizeMode | None = Field(
        None,
        description="how a picture becomes a square: 'stretch', 'pad' with the mean colour, or "
        "'crop' its middle; by default as its encoder reads best",
    )
    layer: int | None = Field(
        None, ge=1, description="blocks of a picture's encoder that are run; by default as it says"
    )
    language: str | None = Field(
        None,
        description="code of the language that is spoken, such as fr; by default told or heard",
    )
    source_language: str | None = Field(
        None, description="what is translated from, as the backbone calls it: en, eng_Latn"
    )
    target_language: str | None = Field(
        None, description="what is translated into; needed where a backbone knows several"
    )
    hints: tuple[str, ...] = Field(
        (),
        description="names and terms that may be said: preferred where speech is written down, "
        "and counted in the report",
    )
    domain_text: tuple[str, ...] = Field(
        (),
        description="texts of the field, without recordings, whose turns of phrase are likelier "
        "where speech is written down",
    )
    class_weights: Literal["balanced"] | dict[str, float] | None = None
    cost_matrix: tuple[tuple[float, ...], ...] | None = Field(
        None, description="cost of answering column j when row i is true, labels in order"
    )
    text: tuple[str, ...] = ()
    numbers: tuple[str, ...] = Field((), description="columns of numbers, instead of a text")
    picture: str | None = Field(None, description="column of pictures, instead of a text")
    audio: str | None = Field(None, description="column of recordings, instead of a text")
    concept: str | None = Field(
        None, description="what is said of pictures to be drawn that have no caption of their own"
    )
    consent: str | None = Field(
        None,
        max_length=2000,
        description="the speaker's statement that this voice may be learned and used; needed where "
        "a voice is learned, and written into the model card",
    )
    user: str | None = Field(None, description="column of interactions that says who")
    item: str | None = Field(None, description="column of interactions that says with what")
    hold_out: Literal["last", "last_one", "time", "users", "items"] | None = Field(
        None,
        description="interactions that judge: the last fifth of each person's, their last one, "
        "the last tenth of all; a fifth of the people by their first 5, or a fifth of the items",
    )
    clear_ids: bool = Field(
        False, description="keep people's own ids in the model folder, not a salted hash"
    )
    label: str | None = None
    split: str | None = None
    group: str | None = None
    time: str | None = None
    weight: str | None = None
    slices: tuple[str, ...] = ()
    template: str | None = Field(
        None,
        description="'{title}. {body}' joins columns; with {answer} it is a prompt: "
        "'{text} It was {answer}.'",
    )
    verbalizer: dict[str, str | tuple[str, ...]] | None = Field(
        None, description="the word or words that stand for each label in a prompt"
    )
    instruction: str | None = Field(None, description="stands in front of every prompt")
    preset: str | None = Field(
        None, description="a prompt that comes along: 'sentiment', 'spam/fr', 'topic/en/2'"
    )
    chat: bool | None = Field(None, description="put the backbone's chat template around prompts")
    pair: bool = False
    separator: str | None = Field(None, description="splits a label cell into several labels")
    reuse: bool = Field(
        True,
        description="compute what is frozen once and train from there on, and of the last block "
        "only what is read; false computes everything every time",
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default_factory=lambda: os.environ.get("SUPERTUNE_PRECISION", "auto"),
        validate_default=True,
        description="of the backbone's matrix products; 'auto' is bf16 where this machine is "
        "fast at it and the backbone says nearly the same",
    )
    advice: bool = Field(
        default_factory=lambda: os.environ.get("SUPERTUNE_ADVICE", "1") != "0",
        description="forecast what more labels would buy and try what else would help",
    )
    packing: bool = Field(
        True,
        description="rows of unequal length side by side in one long row instead of padded, "
        "where the backbone allows; the same but for rounding",
    )
    device: str = "auto"
    threads: int | None = Field(None, ge=1)
    base_url: str | None = Field(
        None, description="address of a server that a backbone openai:MODEL is at"
    )
    api: Api | None = Field(
        None,
        description="route by which a server is asked for words: chat or responses; by default "
        "the one that says most",
    )
    # What follows is said anew each time: no model folder brings consent or limits of its own.
    allow_remote: bool = Field(
        default_factory=consented, exclude=True, description="rows may be sent to a server"
    )
    max_cost: float | None = Field(
        None, ge=0, exclude=True, description="that requests to a server may cost together"
    )
    max_requests: int | None = Field(
        None, ge=0, exclude=True, description="that may be sent to a server, retries included"
    )
    prices: str | None = Field(
        None, exclude=True, description="file of prices: {MODEL: {input: 0.1, output: 0.4}}"
    )
    request_timeout: float = Field(
        60.0, gt=0, exclude=True, description="seconds that one request to a server may take"
    )
    options: dict[str, Any] = Field(default_factory=dict, description="the method's own keys")

    @field_validator("memory_limit", mode="before")
    @classmethod
    def _sizes_are_bytes(cls, given: Any) -> Any:
        return parse_bytes(given) if isinstance(given, str) else given

    @field_validator("max_error", mode="before")
    @classmethod
    def _percentages_are_shares(cls, given: Any) -> Any:
        return parse_share(given) if isinstance(given, str) else given

    @field_validator("verbalizer", mode="before")
    @classmethod
    def _labels_are_texts(cls, given: Any) -> Any:
        """YAML reads 1 as a number, and so it would yes and no as true and false."""
        if not isinstance(given, Mapping):
            return given
        for label, words in given.items():
            several = words if isinstance(words, list | tuple) else [words]
            if any(isinstance(each, bool) for each in (label, *several)):
                raise ValueError("true, false, yes and no need quotes, e.g. 'yes': 'no'")
        return {
            str(label) if isinstance(label, int | float) else label: _words(words)
            for label, words in given.items()
        }


def _words(given: Any) -> Any:
    if isinstance(given, list | tuple):
        return tuple(str(word) if isinstance(word, int | float) else word for word in given)
    return str(given) if isinstance(given, int | float) else given


def mistakes(error: ValidationError, known: Iterable[str] = ()) -> list[str]:
    """One line a mistake; an unknown key with the nearest of ``known`` (else a recipe's keys)."""
    known = sorted(known or Recipe.model_fields)
    lines = []
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"])
        line = f"{key}: {item['msg']}"
        if item["type"] == "extra_forbidden":
            near = difflib.get_close_matches(key, known, n=1)
            line = f"{key}: unknown key" + (f", did you mean '{near[0]}'?" if near else "")
        elif "input" in item and not isinstance(item["input"], dict):
            line += f" (received {item['input']!r})"
        lines.append(line)
    return lines


def recipe(values: Mapping[str, Any]) -> Recipe:
    """Validate keys into a `Recipe`; a key that is not a recipe's is one of the method's.

    Raises:
        InputError: ``bad_recipe`` with every mistake in one message.
    """
    own = {key: value for key, value in values.items() if key in Recipe.model_fields}
    rest = {key: value for key, value in values.items() if key not in Recipe.model_fields}
    chosen = str(own.get("method", "auto"))
    if rest and chosen != "auto" and registry.known("methods", chosen):
        fields = _keys(str(own.get("task", "")), chosen).model_fields
        taken = {key: rest.pop(key) for key in list(rest) if key in fields}
        own["options"] = {**dict(own.get("options") or {}), **taken}
    try:
        checked = Recipe(**own, **rest)
    except ValidationError as error:
        raise InputError(
            "bad_recipe",
            "The recipe has mistakes.",
            received="; ".join(mistakes(error)),
            allowed=", ".join(sorted(Recipe.model_fields))
            + _method_keys(str(own.get("task", "")), chosen),
            next="Correct these keys; `supertune fit --help` explains the main ones.",
        ) from error
    if checked.options and checked.method != "auto":
        method_options(checked)
    return checked


def _keys(task: str, method: str) -> type[Options]:
    """A method's own keys where it serves a task."""
    objective = registry.task(task).objective if registry.known("tasks", task) else ""
    return options_of(registry.method(method), objective)


def _method_keys(task: str, method: str) -> str:
    if method == "auto" or not registry.known("methods", method):
        return "; a method's own keys once --method names it"
    keys = ", ".join(sorted(_keys(task, method).model_fields))
    return f"; for {method} also: {keys or 'none'}"


def method_options(checked: Recipe, method: str | None = None) -> Any:
    """The validated options of ``method`` (the recipe's own by default)."""
    name = method or checked.method
    kind = _keys(checked.task, name)
    given = checked.options if name == checked.method else {}
    try:
        return kind(**given)
    except ValidationError as error:
        raise InputError(
            "bad_option",
            f"The options of method '{name}' have mistakes.",
            received="; ".join(mistakes(error)),
            allowed=", ".join(sorted(kind.model_fields)) or "none",
            next="`supertune methods` shows the keys of each method.",
        ) from error


def parse_settings(pairs: list[str]) -> dict[str, Any]:
    """``["rank=4", "label=topic"]`` as given to ``--set``; values are JSON where they parse."""
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not sign or not key.strip():
            raise InputError(
                "bad_setting",
                "A setting is not of the form key=value.",
                received=pair,
                allowed="--set folds=10, --set rank=4",
                next="Put '=' between the key and its value.",
            )
        try:
            settings[key.strip()] = json.loads(value)
        except json.JSONDecodeError:
            settings[key.strip()] = value
    return settings


def recipe_text(settled: Recipe) -> bytes:
    """A recipe as YAML that `read_recipe` reads back."""
    import yaml

    values = settled.model_dump(
        mode="json", exclude={"device", "threads", "memory_limit"}, exclude_none=True
    )
    return bytes(yaml.safe_dump(values, encoding="utf-8", allow_unicode=True, sort_keys=False))


def read_recipe(path: Path) -> dict[str, Any]:
    """Keys from a YAML or JSON recipe file. A ``data`` key names the source to fit."""
    import yaml

    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise InputError(
            "recipe_missing",
            f"There is no recipe file at {path}.",
            received=str(path),
            next="Check the path; recipes/ holds examples.",
        ) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(
            "recipe_unreadable",
            f"{path} is not a readable YAML or JSON recipe.",
            received=str(error).replace("\n", " "),
            allowed="key: value lines",
            next="Compare with recipes/text_classification.yaml.",
        ) from error
    if not isinstance(loaded, dict):
        raise InputError(
            "recipe_unreadable",
            f"{path} does not hold key: value lines.",
            received=type(loaded).__name__,
            allowed="a mapping of recipe keys",
            next="Compare with recipes/text_classification.yaml.",
        )
    return {str(key): value for key, value in loaded.items()}
