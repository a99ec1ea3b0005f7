"""``supertune speak``: texts spoken, into a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from supertune.cli.options import (
    Command,
    Device,
    Json,
    NoColor,
    Quiet,
    Threads,
    Verbose,
    example,
    terminal,
)
from supertune.cli.progress import Progress
from supertune.cli.terminal import Terminal

app = typer.Typer(add_completion=False)
_SHOWN = 20
Speed = Annotated[float, typer.Option("--speed", help="Against the voice's own pace: 0.25 to 4.")]
Pause = Annotated[float, typer.Option("--pause", help="Seconds of silence between sentences.")]


@app.command(
    cls=Command,
    epilog=example(
        'supertune speak my-voice "Good morning." --output morning.wav',
        "supertune speak piper-joe 'One. <break time=\"1s\"/> Two.' -o two.flac --speed 0.9",
        "supertune speak my-voice --file chapter.txt --output chapter.ogg",
    ),
)
def speak(
    ctx: typer.Context,
    model: Annotated[
        str, typer.Argument(help="A model folder of text_to_speech, or a backbone as it is.")
    ],
    text: Annotated[str | None, typer.Argument(help="What to say.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="A file of text (UTF-8), instead.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", "--out", help="A .wav, .flac or .ogg file."),
    ] = None,
    speed: Speed = 1.0,
    pause: Pause = 0.25,
    seed: Annotated[int, typer.Option("--seed", help="Another one sounds a little otherwise.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    device: Device = None,
    threads: Threads = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Speak a text by a tuned voice, or by a backbone as it is."""
    from supertune import api

    said = terminal(ctx)
    words = _text(text, file)
    place = Path("speech.wav") if output is None else output
    settings: dict[str, Any] = {"speed": speed, "pause": pause, "seed": seed}
    with Progress(said) as progress:
        done = api.speak(
            model,
            words,
            output=place,
            overwrite=overwrite,
            device=device or "auto",
            threads=threads,
            progress=progress,
            **settings,
        )
    del done["samples"]
    said.result(done)
    _show(said, done)
    said.next([f"supertune transcribe whisper-base {place}"])


def _text(text: str | None, file: Path | None) -> str:
    from supertune.errors import InputError

    if (text is None) == (file is None):
        raise InputError(
            "text_or_file",
            "What is to be said is given once.",
            received="neither a text nor a file" if text is None else "a text and a file",
            allowed="a text, or --file with a file of text",
            next='For example supertune speak piper-joe "Good morning."',
        )
    if file is None:
        return str(text)
    try:
        return file.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise InputError(
            "text_unreadable",
            f"{file.name} cannot be read as text.",
            received=f"{file}: {type(error).__name__}",
            allowed="a file of text in UTF-8",
            next="Check the path, or save it as UTF-8.",
        ) from error


def _show(said: Terminal, done: dict[str, Any]) -> None:
    for one in done["sentences"][:_SHOWN]:
        said.say(f"{one['start']:8.2f} s  {one['text']}")
    if len(done["sentences"]) > _SHOWN:
        said.say(f"... and {len(done['sentences']) - _SHOWN} more")
    factor = done["real_time_factor"]
    said.say(
        f"{done['seconds']:.2f} s of speech at {done['rate']:,} Hz; {factor:.2f} s of work a second"
    )
    said.say(f"written: {done['written']}")
    said.say("The file is marked as synthetic speech.")
