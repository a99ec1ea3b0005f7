"""`supertune.speak`: texts spoken by a tuned voice, or by a backbone as it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from supertune.config import Recipe, mistakes
from supertune.contracts import FloatArray, Lens, Speaking, Synthesising, Utterance, Voicing
from supertune.contracts.voices import SYNTHETIC
from supertune.data import utterances
from supertune.data.sounds import writing
from supertune.errors import InputError
from supertune.model import Model
from supertune.pipeline import Workshop

TASK = "text_to_speech"
Said = Callable[[Utterance, FloatArray], None]
Progress = Callable[[str, int, int | None], None]


def speak(
    model: Model | str | Path,
    text: str,
    *,
    output: str | Path | None = None,
    overwrite: bool = False,
    each: Said | None = None,
    device: str = "auto",
    threads: int | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Speak a text, sentence by sentence.

    Args:
        model: a model of text_to_speech or its folder; or the name or folder of a backbone, which
            then speaks untuned.
        text: what to say. ``<break time="500ms"/>`` is a pause.
        output: a file that ends in .wav, .flac or .ogg; each sentence is written as it is made.
        overwrite: whether the file may be replaced.
        each: told each piece with its samples as soon as they are there, to be played.
        device, threads: where a backbone runs.
        settings: keys of `supertune.contracts.Speaking`: ``speed=1.2``, ``pause=0.5``, ``seed=1``.

    Returns:
        ``samples`` (t,) float32, ``rate`` (samples a second), ``seconds``, ``sentences`` (each
        ``text``, ``start`` and ``seconds``), ``real_time_factor`` (seconds of work a second of
        speech), ``notice`` that the voice is synthetic, and ``written``, the file or None.

    Raises:
        InputError: ``no_voice``, ``bad_option``, ``output_suffix``, ``output_exists``,
            ``output_parent_missing``, ``no_words_known``, and as `supertune.data.utterances`.
        EnvironmentFault: ``phonemizer_missing``.

    Example:
        >>> supertune.speak("piper-joe", "Good morning.", output="morning.wav", speed=1.1)
    """
    how = speaking(settings)
    said = utterances.pieces(text, how.pause)
    place = None if output is None else writing.checked(Path(output), overwrite)
    voice = _opened(model, device, threads)
    if not any(voice.backbone.symbols(one.text) for one in said):
        raise _unknown_words(text)
    started = time.perf_counter()
    with ExitStack() as stack:
        stream = None
        if place is not None:
            stream = stack.enter_context(writing.opened(place, voice.rate, text, voice.name))
        samples, sentences = _said(voice, said, how, (stream, each, progress))
    seconds = len(samples) / voice.rate
    return {
        "samples": samples,
        "rate": voice.rate,
        "seconds": seconds,
        "sentences": sentences,
        "real_time_factor": (time.perf_counter() - started) / max(seconds, 1e-9),
        "settings": how.model_dump(),
        "notice": SYNTHETIC,
        "written": None if place is None else str(place),
    }


def _said(
    voice: _Voice,
    said: list[Utterance],
    how: Speaking,
    told: tuple[Any, Said | None, Progress | None],
) -> tuple[FloatArray, list[dict[str, Any]]]:
    """All samples, and where each sentence stands; each is handed over as it is made: to a file,
    to whoever plays it, and to whoever watches."""
    stream, each, progress = told
    found: list[FloatArray] = []
    sentences, at = [], 0
    for number, (one, samples) in enumerate(voice.stream(said, how)):
        if one.text:
            seconds = len(samples) / voice.rate - one.pause
            row = {"text": one.text, "start": at / voice.rate, "seconds": seconds}
            sentences.append(row)
        at += len(samples)
        found.append(samples)
        if stream is not None:
            stream.write(samples)
            stream.flush()
        if each is not None:
            each(one, samples)
        if progress is not None:
            progress("speak", number + 1, len(said))
    return np.concatenate(found), sentences


def speaking(settings: Mapping[str, Any]) -> Speaking:
    """Settings, checked.

    Raises:
        InputError: ``bad_option`` with every mistake.
    """
    keys = sorted(Speaking.model_fields)
    try:
        return Speaking(**settings)
    except ValidationError as error:
        raise InputError(
            "bad_option",
            "The settings of a voice have mistakes.",
            received="; ".join(mistakes(error, keys)),
            allowed=", ".join(keys),
            next="For example speed=1.2, pause=0.5, seed=1.",
        ) from error


@dataclass(frozen=True, eq=False)
class _Voice:
    """What speaks: a backbone, or what is tuned on it."""

    name: str
    backbone: Synthesising
    tuned: Voicing | None
    lens: Lens | None

    @property
    def rate(self) -> int:
        return self.backbone.rate

    def stream(
        self, said: list[Utterance], how: Speaking
    ) -> Iterator[tuple[Utterance, FloatArray]]:
        """Each piece with its samples and the silence behind it."""
        for one in said:
            parts = []
            if one.text and self.tuned is not None and self.lens is not None:
                parts.append(self.tuned.spoken(one.text, how, self.lens))
            elif one.text:
                parts.append(self.backbone.spoken(one.text, how))
            parts.append(np.zeros(round(one.pause * self.rate), dtype=np.float32))
            yield one, np.concatenate(parts)


def _opened(model: Model | str | Path, device: str, threads: int | None) -> _Voice:
    if not isinstance(model, Model) and not (Path(model) / "supertune.json").is_file():
        return _untuned(str(model), device, threads)
    if not isinstance(model, Model):
        from supertune.model import load

        model = load(model, device=device, threads=threads)
    if not isinstance(model.tuned, Voicing):
        raise _no_voice(f"a model of {model.task}")
    lens = model.workshop.lens(model.backbone)
    assert lens is not None
    assert isinstance(lens.backbone, Synthesising)
    return _Voice("a tuned voice", lens.backbone, model.tuned, lens)


def _untuned(name: str, device: str, threads: int | None) -> _Voice:
    workshop = Workshop(
        Recipe(task=TASK, backbone=name, device=device, threads=threads, precision="fp32")
    )
    if "synthesise" not in workshop.offer(name).capabilities:
        raise _no_voice(f"the backbone {name}")
    lens = workshop.lens(name)
    assert lens is not None
    assert isinstance(lens.backbone, Synthesising)
    return _Voice(lens.backbone.ref.name, lens.backbone, None, None)


def _no_voice(received: str) -> InputError:
    return InputError(
        "no_voice",
        "This speaks no texts.",
        received=received,
        allowed="a model of text_to_speech, or a backbone such as piper-joe",
        next="`supertune backbones` lists those that do (synthesise).",
    )


def _unknown_words(text: str) -> InputError:
    return InputError(
        "no_words_known",
        "The voice can say nothing of the text.",
        received=repr(text[:40]),
        allowed="a text in the voice's own language and script",
        next="Choose another voice, or write it in letters that this one reads.",
    )
