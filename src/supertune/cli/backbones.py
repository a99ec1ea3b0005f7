"""``supertune backbones``: engines, the models they can open now, and what fits each."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import typer

from supertune import registry
from supertune.catalogue.entries import model
from supertune.cli import matrix
from supertune.cli.matrix import Known
from supertune.cli.models import languages
from supertune.cli.options import Command, Json, NoColor, Quiet, Verbose, example, terminal
from supertune.contracts import Engine

app = typer.Typer(add_completion=False)


@app.command(cls=Command, epilog=example("supertune backbones", "supertune backbones --json"))
def backbones(
    ctx: typer.Context,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """List the engines and pretrained models, and which methods fit each."""
    speaker = terminal(ctx)
    engines, broken = matrix.engines()
    known = matrix.backbones()
    models = [described(each) for each in known]
    missing = [each.name for each in known if model(each.name) and not each.folder]
    steps = [f"supertune models pull {missing[0]}"] if missing else []
    steps.append("supertune methods")
    speaker.result(
        {
            "engines": [_engine(engine) for engine in engines],
            "backbones": models,
            "broken": [error.as_dict() for error in broken],
            "next": steps,
        }
    )
    speaker.table(("Engine", "What"), [(engine.name, engine.summary) for engine in engines])
    speaker.say()
    speaker.table(
        ("Backbone", "Kind", "Width", "Blocks", "Languages", "Where", "Methods"),
        [_row(each) for each in models],
    )
    speaker.say()
    speaker.say("Any other model: give `fit --backbone` its folder or its hub id.")
    for error in broken:
        speaker.note(f"Left out: {error.message} {error.received or ''}")
    speaker.next(steps)


# What engines need beyond supertune's own dependencies, or take seconds to import.
_PACKAGES = {"transformers": "transformers", "openai_api": "openai"}


def _engine(engine: Engine) -> dict[str, Any]:
    return {
        "name": engine.name,
        "summary": engine.summary,
        "modalities": list(engine.modalities),
        "extra": engine.extra,
        "installed": find_spec(_PACKAGES.get(engine.name, "supertune")) is not None,
    }


def _in_folders(engine: str | None) -> bool:
    """Whether backbones of an engine are folders that may not be fetched yet."""
    return engine is not None and bool(getattr(registry.engine(engine), "folders", False))


def described(known: Known) -> dict[str, Any]:
    """A backbone as ``--json`` prints it."""
    offer = known.offer
    answer: dict[str, Any] = {
        "name": known.name,
        "engine": known.engine,
        "fetched": known.folder is not None or not _in_folders(known.engine),
        "path": None if known.folder is None else str(known.folder),
        "problem": known.problem,
        "methods": matrix.fitting(known),
    }
    if offer is not None:
        answer["offer"] = {
            "capabilities": sorted(offer.capabilities),
            "family": offer.family,
            "architecture": offer.architecture,
            "width": offer.width,
            "depth": offer.depth,
            "parameters": offer.parameters,
            "max_length": offer.max_length,
            "pooling": offer.pooling,
            "prefix": offer.prefix,
            "languages": list(offer.languages),
        }
    return answer


def _row(each: dict[str, Any]) -> tuple[object, ...]:
    offer = each.get("offer", {})
    methods = dict.fromkeys(name for names in each["methods"].values() for name in names)
    unnamed = offer.get("width") == 0  # nobody has said which: nothing is known of it
    where = "cached" if each["fetched"] else "not fetched"
    return (
        each["name"],
        offer.get("family"),
        offer.get("width") or None,
        None if unnamed else offer.get("depth"),
        languages(offer.get("languages", [])),
        where if _in_folders(each["engine"]) and not unnamed else None,
        each["problem"] or ", ".join(methods) or "none",
    )
