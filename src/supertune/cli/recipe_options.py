"""Options of `fit` and `plan` that are keys of the recipe, and how they are put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from supertune.cli.options import SERVER, seconds
from supertune.errors import InputError

COLUMNS = "Which column is what (guessed otherwise)"
CHOICE = "What is tuned"

Data = Annotated[
    str | None,
    typer.Argument(
        metavar="DATA",
        help="csv, tsv, jsonl, json, parquet or xlsx; a folder with one sub-folder of pictures or "
        ".txt files a class; or - for stdin.",
    ),
]
Test = Annotated[
    str | None, typer.Option("--test", help="Labelled rows to judge by, read like DATA.")
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace a model folder that is there.")
]
Unlabeled = Annotated[
    str | None,
    typer.Option(
        "--unlabeled",
        help="Rows without labels, like those to be answered later; used where they help.",
    ),
]
Keep = Annotated[
    list[str] | None,
    typer.Option(
        "--keep",
        metavar="ROWS[:LANGUAGE]",
        help="Rows of what must not be forgotten, answered before and after: everyday.csv:en; "
        "several times. Of speech and translations.",
    ),
]
Language = Annotated[
    str | None,
    typer.Option(
        "--language",
        help="Code of the language that is spoken, such as fr; heard otherwise.",
        rich_help_panel=CHOICE,
    ),
]
Hint = Annotated[
    list[str] | None,
    typer.Option(
        "--hint",
        help="A name or term that may be said, or a .txt file with one a line; several times.",
        rich_help_panel=CHOICE,
    ),
]
DomainText = Annotated[
    list[str] | None,
    typer.Option(
        "--domain-text",
        metavar="FILE",
        help="Sentences as they may be said, one a line, without recordings; several times.",
        rich_help_panel=CHOICE,
    ),
]
Text = Annotated[
    list[str] | None,
    typer.Option("--text", help="Text column; repeat it to join several.", rich_help_panel=COLUMNS),
]
Column = Annotated[
    list[str] | None,
    typer.Option(
        "--column", help="Column of numbers; repeat it for several.", rich_help_panel=COLUMNS
    ),
]
Picture = Annotated[
    str | None,
    typer.Option(
        "--picture",
        help="Column of pictures: their paths, relative to the file, or their bytes.",
        rich_help_panel=COLUMNS,
    ),
]
Audio = Annotated[
    str | None,
    typer.Option(
        "--audio",
        help="Column of recordings: their paths, relative to the file, or their bytes.",
        rich_help_panel=COLUMNS,
    ),
]
Label = Annotated[
    str | None,
    typer.Option("--label", help="Label column, or the one measured.", rich_help_panel=COLUMNS),
]
Concept = Annotated[
    str | None,
    typer.Option(
        "--concept",
        help="What pictures to be drawn show, where they have no caption: 'a wug clock'.",
        rich_help_panel=COLUMNS,
    ),
]
Consent = Annotated[
    str | None,
    typer.Option(
        "--consent",
        help="The speaker's statement that a voice may be learned and used; needed for that.",
        rich_help_panel=COLUMNS,
    ),
]
Template = Annotated[
    str | None,
    typer.Option(
        "--template",
        help="Joins columns: '{title}. {body}'. With {answer} it is a prompt: "
        "'{text} It was {answer}.'",
        rich_help_panel=COLUMNS,
    ),
]
Items = Annotated[
    str | None,
    typer.Option(
        "--items",
        help="Of interactions: a file of the items, with their ids, texts and categories.",
        rich_help_panel=COLUMNS,
    ),
]
User = Annotated[
    str | None,
    typer.Option("--user", help="Column of who did something.", rich_help_panel=COLUMNS),
]
Item = Annotated[
    str | None,
    typer.Option("--item", help="Column of the item it was.", rich_help_panel=COLUMNS),
]
HoldOut = Annotated[
    str | None,
    typer.Option(
        "--hold-out",
        metavar="WHAT",
        help="Interactions that judge: last (a fifth of each person's), last_one, time (the latest "
        "tenth of all), users (a fifth of them, new to the model) or items (likewise).",
        rich_help_panel=COLUMNS,
    ),
]
Verbalizer = Annotated[
    str | None,
    typer.Option(
        "--verbalizer",
        help="Words for the labels in a prompt: 'positive=good,great; negative=bad', or JSON.",
        rich_help_panel=CHOICE,
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(
        "--preset",
        help="A prompt that comes along: sentiment, topic, spam, intent or yes_no; spam/fr "
        "(en, zh, fr, de, es, pt); topic/en/2.",
        rich_help_panel=CHOICE,
    ),
]
Pair = Annotated[
    bool,
    typer.Option("--pair", help="Two text columns are a pair.", rich_help_panel=COLUMNS),
]
Separator = Annotated[
    str | None,
    typer.Option(
        "--separator", help="Splits a label cell into several labels.", rich_help_panel=COLUMNS
    ),
]
Split = Annotated[
    str | None,
    typer.Option("--split", help="Column that says train or test.", rich_help_panel=COLUMNS),
]
GroupColumn = Annotated[
    str | None,
    typer.Option(
        "--group",
        help="Column of customer, thread ...: rows of one are never on both sides of a split.",
        rich_help_panel=COLUMNS,
    ),
]
Time = Annotated[
    str | None,
    typer.Option("--time", help="Column of dates: the latest rows judge.", rich_help_panel=COLUMNS),
]
Weight = Annotated[
    str | None,
    typer.Option("--weight", help="Column of row weights.", rich_help_panel=COLUMNS),
]
Slice = Annotated[
    list[str] | None,
    typer.Option(
        "--slice", help="Column by which scores are broken down.", rich_help_panel=COLUMNS
    ),
]
TaskName = Annotated[
    str | None,
    typer.Option("--task", help="See `supertune tasks`.", rich_help_panel=CHOICE),
]
BackboneName = Annotated[
    str | None,
    typer.Option(
        "--backbone",
        help="A name of `supertune models`, a hub id, a folder, auto or none.",
        rich_help_panel=CHOICE,
    ),
]
MethodName = Annotated[
    str | None,
    typer.Option(
        "--method", help="A name of `supertune methods`, or auto.", rich_help_panel=CHOICE
    ),
]
Metric = Annotated[
    str | None,
    typer.Option(
        "--metric", help="What is optimised and compared: accuracy ...", rich_help_panel=CHOICE
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Any key of the recipe or of the method: folds=10, rank=4; of pictures "
        "resolution=160, resize_mode=stretch, pad or crop.",
        rich_help_panel=CHOICE,
    ),
]
RecipeFile = Annotated[
    Path | None,
    typer.Option("--recipe", help="YAML with keys of the recipe.", rich_help_panel=CHOICE),
]
TimeLimit = Annotated[
    str | None,
    typer.Option("--time-limit", help="60s (default), 2m, 1h.", rich_help_panel=CHOICE),
]
MemoryLimit = Annotated[
    str | None,
    typer.Option(
        "--memory-limit",
        help="4GB, 800MB; what this machine and its container have free by default.",
        rich_help_panel=CHOICE,
    ),
]
MaxCandidates = Annotated[
    int | None,
    typer.Option(
        "--max-candidates",
        min=1,
        help="Compare so many instead of minding the clock: then auto is reproducible.",
        rich_help_panel=CHOICE,
    ),
]
Search = Annotated[
    int | None,
    typer.Option(
        "--search",
        min=1,
        help="Try so many settings of the chosen method (needs supertune[search]).",
        rich_help_panel=CHOICE,
    ),
]
MaxError = Annotated[
    str | None,
    typer.Option(
        "--max-error",
        help="5%: abstain from rows so that, with 95 % confidence, at most so many of the answers "
        "given are wrong.",
        rich_help_panel=CHOICE,
    ),
]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        help="Of --backbone openai:MODEL: the server's address, https://HOST/v1. --set api=chat or "
        "api=responses names its route, which is found out otherwise.",
        rich_help_panel=SERVER,
    ),
]
Seed = Annotated[int | None, typer.Option("--seed", help="0 by default.", rich_help_panel=CHOICE)]


_KEYS = (
    *(
        "text",
        "picture",
        "audio",
        "concept",
        "consent",
        "user",
        "item",
        "hold_out",
        "label",
        "template",
        "pair",
        "separator",
        "split",
        "group",
        "time",
        "weight",
    ),
    *("task", "backbone", "method", "metric", "preset", "language"),
    *("memory_limit", "max_error", "max_candidates", "search"),
    *("seed", "precision", "device", "threads"),
    *("base_url", "allow_remote", "max_cost", "max_requests", "prices"),
)
"""Options whose name is the recipe's key."""


def recipe_values(given: Mapping[str, Any]) -> dict[str, Any]:
    """Keys of the recipe from a command's parameters (``ctx.params``), ``data``, ``test`` and
    ``unlabeled`` too.

    Options outdo --set, and --set outdoes the file of --recipe.
    """
    from supertune.config import parse_settings, read_recipe

    values = {} if given["recipe"] is None else read_recipe(given["recipe"])
    values |= parse_settings(given["settings"] or [])
    named = {key: given.get(key) for key in _KEYS}
    named["text"] = tuple(given["text"] or ())
    named["numbers"] = tuple(given["column"] or ())
    named["slices"] = tuple(given["slice_"] or ())
    named["unlabeled"] = given.get("unlabeled")
    named["keep"] = tuple(given.get("keep") or ())
    named["hints"] = hinted(given.get("hint"))
    named["domain_text"] = of_field(given.get("domain_text"))
    if given["verbalizer"] is not None:
        from supertune.prompts.verbalizer import parsed

        named["verbalizer"] = parsed(given["verbalizer"])
    if given["time_limit"] is not None:
        named["time_limit"] = seconds(given["time_limit"])
    said = {key: value for key, value in named.items() if value is not None and value != ()}
    return values | {
        key: value for key, value in said.items() if value is not False
    }  # 0 is a limit


def of_field(given: Sequence[str] | None) -> tuple[str, ...]:
    """The lines of files that ``--domain-text`` names; see `domain_texts.read`."""
    if not given:
        return ()
    from supertune.api import domain_texts

    return domain_texts.read(given)


def hinted(given: Sequence[str] | None) -> tuple[str, ...]:
    """Names and terms; of a .txt file its lines.

    Raises:
        InputError: ``file_missing``.
    """
    found: list[str] = []
    for one in given or ():
        if not one.endswith(".txt"):
            found.append(one)
            continue
        if not Path(one).is_file():
            raise InputError(
                "file_missing",
                "The file of hints is not there.",
                received=one,
                allowed="names and terms, or a .txt file with one a line",
                next="Check the path.",
            )
        found += [line.strip() for line in Path(one).read_text("utf-8-sig").splitlines()]
    return tuple(dict.fromkeys(one for one in found if one))


def sources(given: Mapping[str, Any], values: dict[str, Any]) -> tuple[Any, Any]:
    """What to read, and what to judge by: DATA and --test, else what the recipe names.

    A recipe may name a data set of the catalogue and how much of it to draw:
    ``data: {dataset: bbc-news, per_class: 8, test_rows: 400}``, of pictures with boxes, recordings
    with transcripts and translations ``{dataset: deepforest, train_rows: 2, test_rows: 2}``, of
    recordings with ``words: 3`` or more. Both keys are taken out of ``values``.
    """
    named, held_out = values.pop("data", None), values.pop("test", None)
    if given["data"] is not None:
        named, held_out = given["data"], None
    chosen, held = named, given["test"] or held_out
    if chosen is None:
        raise InputError(
            "no_data",
            "There are no rows to read: DATA is missing.",
            allowed="a file, a folder of class folders, or - for stdin",
            next="For example: supertune fit reviews.csv",
        )
    if isinstance(chosen, dict):
        return drawn(chosen)
    if (items := given.get("items")) is not None:
        return {"interactions": chosen, "items": items}, held
    return chosen, held


def drawn(wanted: dict[str, Any]) -> tuple[Any, Any]:
    """Labelled rows of a data set of the catalogue, or of a bundled table; others to judge by."""
    from supertune.catalogue import bundled, data_sets
    from supertune.catalogue.corpora import dataset, few_clips, few_pairs, few_pictures, few_shot

    name = wanted.get("dataset")
    kind = next((one.kind for one in data_sets.DATASETS if one.name == name), "text")
    if kind == "interactions" and set(wanted) == {"dataset"}:
        return str(dataset(str(name))), None
    classless: dict[str, Any] = {"boxes": few_pictures, "speech": few_clips, "pairs": few_pairs}
    without_classes = classless.get(kind)
    count = "per_class" if without_classes is None else "train_rows"
    numbers = {count: 8, "test_rows": 400, "seed": 0, **({"words": 1} if kind == "speech" else {})}
    given = {key: wanted.get(key, default) for key, default in numbers.items()}
    # A boolean is an int to Python and a slip in a recipe.
    whole = all(type(value) is int and value >= 0 for value in given.values())
    if "dataset" not in wanted or not set(wanted) <= {"dataset", *numbers} or not whole:
        raise InputError(
            "bad_recipe",
            "The recipe's data is neither a path nor a data set.",
            received=str(wanted),
            allowed="a path, or {dataset: NAME, per_class: 8, test_rows: 400, seed: 0}",
            next="`supertune data` lists the names.",
        )
    if wanted["dataset"] in bundled.PICTURES:
        return [bundled.picture(str(wanted["dataset"]))], None
    if wanted["dataset"] in bundled.TABLES:
        return bundled.drawn(
            str(wanted["dataset"]), test_rows=given["test_rows"], seed=given["seed"]
        )
    if without_classes is not None:
        train, held = without_classes(str(wanted["dataset"]), **given)
        if kind == "pairs":
            return _named(train), _named(held)
        return train, held
    return few_shot(str(wanted["dataset"]), **given)


def _named(pairs: Sequence[tuple[str, str, str]]) -> list[dict[str, str]]:
    """Pairs as rows whose columns say what they are, documents kept together."""
    return [dict(zip(("source", "target", "page"), pair, strict=True)) for pair in pairs]
