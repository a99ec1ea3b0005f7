"""``supertune methods``: what each needs, which options it takes, what works with what."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from supertune import registry
from supertune.cli import matrix
from supertune.cli.matrix import Fit
from supertune.cli.options import Command, Json, NoColor, Quiet, Verbose, example, terminal
from supertune.cli.terminal import Terminal
from supertune.contracts import GradientMethod, Method, options_of

app = typer.Typer(add_completion=False)


def _names() -> list[str]:
    members = (one["name"] for family in registry.families() for one in family.table())
    return [*registry.names("methods"), *members]


@app.command(
    cls=Command,
    epilog=example("supertune methods", "supertune methods lora", "supertune methods --json"),
)
def methods(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="One method, with every key.", autocompletion=_names),
    ] = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """List the methods, what each needs and which options it takes."""
    speaker = terminal(ctx)
    if name is not None:
        _show(speaker, registry.method(name))
    else:
        _list(speaker)


def described(method: Method) -> dict[str, Any]:
    """A method as ``--json`` prints it."""
    return {
        "name": method.name,
        "summary": method.summary,
        "reference": method.reference,
        "kind": "gradient" if isinstance(method, GradientMethod) else "solver",
        "needs": sorted(method.needs),
        "objectives": sorted(method.objectives),
        "simplicity": method.simplicity,
        "options": options(method),
        "detector_options": options(method, "detect") if "detect" in method.objectives else [],
        "other_defaults": _other_defaults(method),
    }


def options(method: Method, objective: str = "") -> list[dict[str, Any]]:
    """The keys that ``--set`` takes for this method: type, default, description."""
    schema = options_of(method, objective).model_json_schema()
    return [
        {
            "name": name,
            "type": _type(part),
            "default": part.get("default"),
            "description": part.get("description", ""),
        }
        for name, part in schema.get("properties", {}).items()
    ]


def _other_defaults(method: Method) -> dict[str, dict[str, Any]]:
    """By objective, the keys that have another default there."""
    usual = {key["name"]: key["default"] for key in options(method)}
    named: Mapping[str, Any] = getattr(method, "options_for", {})
    return {
        objective: {
            key["name"]: key["default"]
            for key in options(method, objective)
            if key["default"] != usual.get(key["name"])
        }
        for objective in sorted(named)
    }


def _type(part: Mapping[str, Any]) -> str:
    """A JSON schema in words: ``integer, 1 to 1024``, ``list of number``, ``'a' or 'b'``."""
    if "anyOf" in part:
        return " or ".join(_type(each) for each in part["anyOf"])
    if "enum" in part:
        return " or ".join(f"'{value}'" for value in part["enum"])
    if "const" in part:
        return f"'{part['const']}'"
    kind = str(part.get("type", "any value"))
    if kind == "array":
        return f"list of {_type(part.get('items', {'type': 'value'}))}"
    if kind == "null":
        return "none"
    low = part.get("minimum", part.get("exclusiveMinimum"))
    high = part.get("maximum", part.get("exclusiveMaximum"))
    above = "above " if "exclusiveMinimum" in part else ""
    below = "below " if "exclusiveMaximum" in part else ""
    if low is not None and high is not None:
        return f"{kind}, {above}{low:g} to {below}{high:g}"
    if low is not None:
        return f"{kind}, {above}{low:g}" if above else f"{kind}, {low:g} or more"
    return kind if high is None else f"{kind}, up to {below}{high:g}"


def _show(terminal: Terminal, method: Method) -> None:
    fits = list(matrix.fits([method]))
    keys = options(method)
    able = [fit.backbone for fit in fits if fit.why is None]
    on = f" --backbone {able[0]}" if able and all(":" in name for name in able) else ""
    steps = [f"supertune fit reviews.csv --method {method.name}{on}"]
    if keys:
        first = keys[0]
        steps.append(f"{steps[0]} --set {first['name']}={_value(first['default'])}")
    answer = {**described(method), "fits": [fit.as_dict() for fit in fits], "next": steps}
    terminal.result(answer)
    terminal.say(method.name, style="bold")
    terminal.say(method.summary)
    terminal.say(f"Source: {method.reference}")
    terminal.say(f"Needs: {', '.join(sorted(method.needs)) or 'no backbone'}")
    terminal.say()
    if keys:
        terminal.table(
            ("Key", "Default", "Takes", ""),
            [(k["name"], _value(k["default"]), k["type"], k["description"]) for k in keys],
        )
    else:
        terminal.say("It takes no keys of its own.")
    if options_of(method, "detect") is not method.options:
        names = ", ".join(key["name"] for key in options(method, "detect"))
        terminal.say(f"To find things on pictures it takes these instead: {names}.")
    for objective, own in _other_defaults(method).items():
        told = ", ".join(f"{name}={_value(value)}" for name, value in own.items())
        terminal.say(f"For the objective {objective} by default: {told}.")
    terminal.say()
    _cells(terminal, fits)
    terminal.next(steps)


def _value(value: object) -> str:
    if isinstance(value, list):
        return ",".join(f"{each}" for each in value)
    return "none" if value is None else f"{value}"


def _list(terminal: Terminal) -> None:
    found, broken = matrix.methods()
    fits = list(matrix.fits())
    steps = [f"supertune methods {name}" for name in ("lora",) if name in _names()]
    steps.append("supertune plan reviews.csv")
    terminal.result(
        {
            "methods": [described(method) for method in found],
            "matrix": [fit.as_dict() for fit in fits],
            "families": [
                {"name": family.name, "summary": family.summary, "methods": family.table()}
                for family in registry.families()
            ],
            "broken": [error.as_dict() for error in broken],
            "next": steps,
        }
    )
    terminal.table(
        ("Method", "Needs", "What"),
        [(m.name, ", ".join(sorted(m.needs)) or "no backbone", m.summary) for m in found],
    )
    terminal.say()
    for family in registry.families():
        _family(terminal, family)
    terminal.table(("Method", "Keys for --set, with their defaults"), _defaults(found))
    terminal.say()
    _cells(terminal, fits)
    for error in broken:
        terminal.note(f"Left out: {error.message} {error.received or ''}")
    terminal.next(steps)


def _family(terminal: Terminal, family: registry.Family) -> None:
    """Its members as a paragraph, and after it those that are refused everywhere."""
    table = family.table()
    names = [one["name"].partition(":")[2] for one in table if one["families"]]
    terminal.say(f"{family.name}:NAME", style="bold")
    terminal.say(f"{family.summary}. Names:")
    for line in textwrap.wrap(", ".join(names), 96):
        terminal.say(f"  {line}")
    for one in table:
        if not one["families"]:
            terminal.say(f"-  {one['name']}: {one['why']}", style="dim")
    terminal.say()


def _defaults(methods: list[Method]) -> list[tuple[str, str]]:
    rows = [
        (method.name, ", ".join(f"{k['name']}={_value(k['default'])}" for k in options(method)))
        for method in methods
    ]
    return [(name, keys or "none") for name, keys in rows]


def _cells(terminal: Terminal, fits: list[Fit]) -> None:
    """A table a task, methods down, backbones that serve it across, and the reasons that are not
    plain."""
    for task in dict.fromkeys(fit.task for fit in fits):
        here = [fit for fit in fits if fit.task == task]
        serving = {fit.backbone for fit in here if fit.why is None} | {matrix.NONE}
        here = [fit for fit in here if fit.backbone in serving]
        across = list(dict.fromkeys(fit.backbone for fit in here))
        down = list(dict.fromkeys(fit.method for fit in here))
        works = {(fit.method, fit.backbone): fit.why is None for fit in here}
        terminal.table(
            (task, *across),
            [(m, *("yes" if works[m, b] else "-" for b in across)) for m in down],
        )
        # That some take a backbone and some take none can be seen; other reasons are told.
        free = {m for m in down if works.get((m, matrix.NONE))}
        for why in dict.fromkeys(
            fit.why
            for fit in here
            if fit.why and fit.backbone != matrix.NONE and fit.method not in free
        ):
            terminal.say(f"-  {why}", style="dim")
