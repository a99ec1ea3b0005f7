"""``supertune translate``: texts and files of any size, in another language."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
    share,
    terminal,
)
from supertune.cli.predict import MaxError, read_as
from supertune.cli.progress import Progress
from supertune.cli.terminal import Terminal

Glossary = Annotated[
    Path | None,
    typer.Option("--glossary", help="A csv or tsv file of terms and what they are called."),
]
SourceLanguage = Annotated[
    str | None,
    typer.Option("--source-language", help="Of a backbone that knows several: en, eng_Latn."),
]
TargetLanguage = Annotated[
    str | None,
    typer.Option("--target-language", help="Of a backbone that knows several: pt, por_Latn."),
]
Prefix = Annotated[str | None, typer.Option("--prefix", help="Text before each source, of a T5.")]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="A .jsonl, .csv, .tsv or .txt file; if interrupted, the same command goes on.",
    ),
]
NBest = Annotated[
    int,
    typer.Option("--n-best", help="Translations told of each text, at most as many as beams."),
]
Bias = Annotated[
    float, typer.Option("--bias", help="How much terms of the glossary are preferred.")
]
app = typer.Typer(add_completion=False)
_SHOWN = 20


@app.command(
    cls=Command,
    epilog=example(
        'supertune translate bergamot-en-pt "How are you today?"',
        "supertune translate my-model manual.txt -o manual.pt.txt --glossary terms.csv --beams 4",
        'supertune translate ./nllb-200 "How are you?" --source-language eng_Latn '
        "--target-language por_Latn",
    ),
)
def translate(
    ctx: typer.Context,
    model: Annotated[
        str, typer.Argument(help="A model folder of translation, or a backbone as it is.")
    ],
    texts: Annotated[
        list[str], typer.Argument(help="Texts, or one file of them (txt, csv, jsonl, po ...).")
    ],
    output: Output = None,
    glossary: Glossary = None,
    beams: Annotated[int, typer.Option("--beams", help="Texts followed at a time, 1 to 16.")] = 1,
    n_best: NBest = 1,
    bias: Bias = 15.0,
    source_language: SourceLanguage = None,
    target_language: TargetLanguage = None,
    prefix: Prefix = None,
    max_error: MaxError = None,
    text: Annotated[str | None, typer.Option("--text", help="The column of texts.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    device: Device = None,
    threads: Threads = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    no_color: NoColor = False,
) -> None:
    """Put texts into another language."""
    from supertune import api

    said = terminal(ctx)
    with kept_of(said, output), Progress(said) as progress:
        done = api.translate(
            model,
            read_as(texts),
            output=output,
            glossary=glossary,
            overwrite=overwrite,
            text=text,
            device=device or "auto",
            threads=threads,
            max_error=share(max_error),
            source_language=source_language,
            target_language=target_language,
            prefix=prefix,
            progress=progress,
            beams=max(beams, n_best),
            n_best=n_best,
            bias=bias,
        )
    if output is None:
        _show(said, model, done)
        return
    said.result(done[0])
    told = "{output}: {rows} translations, {doubtful} with something against them"
    said.say(told.format(**done[0]))
    said.next([f"supertune evaluate {model} PAIRS.csv"])


def _show(said: Terminal, model: str, done: list[dict[str, Any]]) -> None:
    said.result({"translations": done})
    for row in done[:_SHOWN]:
        notes = f"  ({', '.join(row['doubts'])})" if row["doubts"] else ""
        said.say(f"{'(no answer)' if row['translation'] is None else row['translation']}{notes}")
        for other in row.get("others", []):
            said.say(f"  or: {other['translation']}  ({other['surety']:.2f})")
    if len(done) > _SHOWN:
        said.say(f"... and {len(done) - _SHOWN} more")
    said.next([f"supertune translate {model} FILE.txt -o translations.jsonl"])


@contextmanager
def kept_of(said: Terminal, output: Path | None) -> Iterator[None]:
    """Inside, an interruption tells where the rows are that were written."""
    try:
        yield
    except KeyboardInterrupt:
        from supertune.api.resuming import part_of

        kept = None if output is None else part_of(output)
        if kept is not None and kept.exists():
            said.goes_on = f"What is done is in {kept}"
        raise
