"""``supertune tasks``: what goes in, what comes out, how it is scored."""

from __future__ import annotations

import typer

from supertune.cli import matrix
from supertune.cli.options import Command, Json, NoColor, Quiet, Verbose, example, terminal
from supertune.report.wording import metric_name

app = typer.Typer(add_completion=False)


@app.command(cls=Command, epilog=example("supertune tasks", "supertune tasks --json"))
def tasks(
    ctx: typer.Context,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """List the tasks: what goes in, what comes out, how it is scored."""
    speaker = terminal(ctx)
    found, broken = matrix.tasks()
    methods = matrix.methods()[0]
    known = [
        {
            "name": task.name,
            "summary": task.summary,
            "objective": task.objective,
            "modalities": list(task.modalities),
            "default_metric": task.default_metric,
            "metrics": [
                {"name": name, "better": "higher" if larger else "lower"}
                for name, larger in task.metrics.items()
            ],
            "methods": [each.name for each in methods if task.objective in each.objectives],
        }
        for task in found
    ]
    steps = ["supertune methods", "supertune plan reviews.csv"]
    problems = [error.as_dict() for error in broken]
    speaker.result({"tasks": known, "broken": problems, "next": steps})
    for number, task in enumerate(found):
        if number:
            speaker.say()
        speaker.say(task.name, style="bold")
        speaker.say(f"{task.summary} ({', '.join(task.modalities)}; objective {task.objective})")
        names = [
            metric_name(name) + (" (default)" if name == task.default_metric else "")
            for name in task.metrics
        ]
        speaker.say(f"Scored by: {', '.join(names)}")
        served = [each.name for each in methods if task.objective in each.objectives]
        speaker.say(f"Methods: {', '.join(served)}")
    for error in broken:
        speaker.note(f"Left out: {error.message} {error.received or ''}")
    speaker.next(steps)
