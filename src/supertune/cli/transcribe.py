"""``supertune transcribe``: recordings written down, with times and subtitles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from supertune.cli.options import (
    Command,
    Device,
    Json,
    Mic,
    NoColor,
    Quiet,
    Threads,
    Verbose,
    example,
    heard,
    terminal,
)
from supertune.cli.progress import Progress
from supertune.cli.recipe_options import hinted, of_field
from supertune.cli.terminal import Terminal
from supertune.errors import InputError

Formats = Annotated[
    list[str] | None,
    typer.Option("--format", help="txt, srt, vtt or json; may be given several times."),
]
Hints = Annotated[
    list[str] | None,
    typer.Option(
        "--hint", help="A name or term that may be said, or a .txt file of them; several times."
    ),
]
Texts = Annotated[
    list[str] | None,
    typer.Option(
        "--domain-text",
        metavar="FILE",
        help="Sentences as they may be said, one a line; several times.",
    ),
]
Guard = Annotated[
    bool,
    typer.Option("--guard/--no-guard", help="Leave out what is written of silence, repeats."),
]
Skip = Annotated[
    bool,
    typer.Option("--skip", help="Leave out what is there: goes on where an earlier run stopped."),
]
Recordings = Annotated[
    str | None, typer.Argument(help="A recording, a folder of recordings, or a table of them.")
]
app = typer.Typer(add_completion=False)
_SHOWN = 20


@app.command(
    cls=Command,
    epilog=example(
        "supertune transcribe my-model call.wav --timestamps",
        "supertune transcribe whisper-base talks -o subtitles --format srt --language fr",
        "supertune transcribe whisper-base calls --language fr --domain-text manual.txt",
        "supertune transcribe my-model --mic 10",
    ),
)
def transcribe(
    ctx: typer.Context,
    model: Annotated[
        str, typer.Argument(help="A model folder of speech_to_text, or a backbone as it is.")
    ],
    recordings: Recordings = None,
    mic: Mic = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A folder for a file a recording.")
    ] = None,
    formats: Formats = None,
    language: Annotated[
        str | None, typer.Option("--language", help="Code such as fr; else the model's, or heard.")
    ] = None,
    hint: Hints = None,
    domain_text: Texts = None,
    beams: Annotated[int, typer.Option("--beams", help="Texts followed at a time, 1 to 16.")] = 1,
    timestamps: Annotated[
        bool, typer.Option("--timestamps", help="Say when each piece begins and ends.")
    ] = False,
    overlap: Annotated[
        float, typer.Option("--overlap", help="Seconds that windows of long recordings share.")
    ] = 4.0,
    guard: Guard = True,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    skip: Skip = False,
    device: Device = None,
    threads: Threads = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Write down what is said in recordings."""
    from supertune import api

    said, hints = terminal(ctx), hinted(hint)
    told = {"hints": hints, "domain_text": of_field(domain_text)}
    settings: dict[str, Any] = {key: given for key, given in told.items() if given}
    settings |= {"timestamps": timestamps, "overlap": overlap, "guard": guard}
    settings |= {"language": language, "beams": beams}
    with Progress(said) as progress:
        done = api.transcribe(
            model,
            _source(recordings, mic),
            output=output,
            formats=tuple(formats or ()),
            overwrite=overwrite,
            skip=skip,
            device=device or "auto",
            threads=threads,
            progress=progress,
            **settings,
        )
    terms = api.terms(done, hints)
    said.result({"recordings": done} | ({} if terms is None else {"terms": terms}))
    _show(said, done, timestamps, terms or {})
    more = f"supertune transcribe {model} {recordings} -o subtitles --format srt"
    said.next([more] if output is None and mic is None else [])


def _source(recordings: str | None, mic: float | None) -> Any:
    if mic is not None:
        return [heard(mic, recordings)]
    if recordings is None:
        raise InputError(
            "no_recording",
            "There is nothing to write down.",
            received="neither recordings nor --mic",
            allowed="a recording, a folder or table of them, or --mic SECONDS",
            next="For example supertune transcribe whisper-base talk.wav",
        )
    return recordings


def _show(
    said: Terminal, done: list[dict[str, Any]], timestamps: bool, terms: dict[str, Any]
) -> None:
    for one in done[:_SHOWN]:
        notes = f"{one['language']}{''.join(', ' + doubt for doubt in one['doubts'])}"
        said.say(f"{one['recording']} ({notes})" if notes else one["recording"])
        if timestamps:
            for piece in one["segments"]:
                said.say(f"  {piece['start']:8.2f} - {piece['end']:8.2f}  {piece['text']}")
        else:
            said.say(f"  {one['text'] or '(nothing is said)'}")
    if len(done) > _SHOWN:
        said.say(f"... and {len(done) - _SHOWN} more")
    for place in [place for one in done for place in one["files"]][:_SHOWN]:
        said.say(f"written: {place}")
    if terms.get("mentions"):
        share, times = terms["accuracy"], terms["mentions"]
        said.say(f"hints: {share:.0%} of {times} mentions are written as the table says")
