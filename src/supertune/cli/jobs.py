"""``supertune jobs``: fine-tuning jobs at servers, listed, looked at, cancelled, forgotten."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from supertune.cli.options import Command, Group, Json, NoColor, Quiet, Verbose, example, terminal
from supertune.cli.terminal import Terminal

app = typer.Typer(
    cls=Group,
    invoke_without_command=True,
    add_completion=False,
    help="List fine-tuning jobs at servers, look at one, cancel or forget it.",
    epilog=example("supertune jobs", "supertune jobs cancel ftjob-abc123"),
)

Job = Annotated[str, typer.Argument(metavar="JOB", help="Its id, as `supertune jobs` lists it.")]


@app.callback()
def jobs(
    ctx: typer.Context,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    if ctx.invoked_subcommand is None:
        _listed(terminal(ctx))


def _listed(said: Terminal) -> None:
    from supertune import api
    from supertune.backbones.openai_api.client import host

    known = api.jobs()
    under_way = [one for one in known if one["job"] and not one["checkpoint"]]
    steps = [f"supertune jobs show {one['job']}" for one in under_way[:3]]
    said.result({"jobs": known, "next": steps})
    if not known:
        said.say("No fit on this machine has begun a fine-tuning job.")
    else:
        rows = [
            (one["job"] or "not created yet", one["status"] or "uploading", one["model"],
             host(one["server"]), one["begun"], one["checkpoint"])
            for one in known
        ]  # fmt: skip
        said.table(("Job", "Last seen", "Of", "At", "Begun", "Tuned model"), rows)
    said.next(steps)


@app.command("show", cls=Command, epilog=example("supertune jobs show ftjob-abc123"))
def show(
    ctx: typer.Context,
    job: Job,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Ask the server how a job is going."""
    from supertune import api

    said = terminal(ctx)
    found = api.job(job)
    said.result(found)
    tokens = found["trained_tokens"]
    trained = f", {tokens:,} tokens trained" if isinstance(tokens, int) else ""
    said.say(f"{job}: {found['status']}{trained}")
    for event in found["events"]:
        said.say(f"  {event}")


@app.command("cancel", cls=Command, epilog=example("supertune jobs cancel ftjob-abc123"))
def cancel(
    ctx: typer.Context,
    job: Job,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """End a job that is under way, and delete its uploaded rows at the server."""
    from supertune import api

    _done(terminal(ctx), api.cancel_job(job), f"{job} is cancelled; its uploaded rows are deleted.")


@app.command("forget", cls=Command, epilog=example("supertune jobs forget ftjob-abc123"))
def forget(
    ctx: typer.Context,
    job: Job,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Delete its uploaded rows at the server; the same fit then begins a new one."""
    from supertune import api

    message = f"{job} is forgotten; its uploaded rows are deleted, a tuned model stays."
    _done(terminal(ctx), api.forget_job(job), message)


def _done(said: Terminal, found: dict[str, Any], message: str) -> None:
    said.result(found)
    said.say(message)
