"""Pictures asked of a fitted model: prompts, seeds and settings checked, then drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from supertune.config import mistakes
from supertune.contracts import Drawing, Lens, Sampling, Tuned
from supertune.errors import InputError

Pictures = list[npt.NDArray[np.uint8]]
MOST = 4096  # pictures drawn by one call
SEEDS = 1 << 62


def drawn(
    tuned: Tuned,
    lens: Lens | None,
    prompts: str | Sequence[str] | None,
    *,
    n: int = 1,
    seed: int = 0,
    strength: float = 1.0,
    others: Sequence[tuple[Tuned, float]] = (),
    progress: Callable[[int, int], None] | None = None,
    **settings: Any,
) -> Pictures:
    """n pictures (h, w, 3) of each prompt, prompt after prompt; the i-th has the seed seed + i.

    Args:
        strength, others: of a style, how far to go to it, and other styles with theirs.
        settings: keys of `supertune.contracts.Sampling`.

    Raises:
        InputError: ``no_painter``, ``bad_prompt``, ``bad_count``, ``bad_seed``, ``bad_option``,
            ``no_style``.
    """
    if not isinstance(tuned, Drawing) or lens is None:
        raise InputError(
            "no_painter",
            "This model draws no pictures by a text.",
            received="a model of another task",
            allowed="a model of image_generation, or a backbone that draws",
            next="A style paints photographs: --picture photo.jpg; `supertune predict` asks any "
            "model.",
        )
    texts, how = prompts_of(prompts), sampling(settings)
    seeds = seeds_of(n, seed, len(texts))
    if strength != 1.0 or others:
        tuned = _blended(tuned, strength, others)
    return tuned.sample(
        [text for text in texts for _ in seeds], seeds * len(texts), how, lens, progress
    )


def _blended(tuned: Drawing, strength: float, others: Sequence[tuple[Tuned, float]]) -> Drawing:
    from supertune.training.denoising import TunedDenoiser

    styles = [(tuned, strength), *others]
    for one, _ in styles:
        norms = isinstance(one, TunedDenoiser) and one.injection.settings.get("norms")
        if not norms:
            raise InputError(
                "no_style",
                "Only styles can be made weaker, stronger, or blended.",
                received=f"strength {strength:g}, {len(others)} other models",
                allowed="models of the method style_norms on one backbone",
                next="Leave strength and blend out, or fit with --method style_norms.",
            )
    return TunedDenoiser.blended([(one, weight) for one, weight in styles])  # type: ignore[misc]


def prompts_of(given: Any) -> list[str]:
    """Raises: InputError ``bad_prompt``."""
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, list | tuple) or not listed:
        raise _bad_prompt(type(given).__name__ if not isinstance(given, list | tuple) else "none")
    for one in listed:
        if not isinstance(one, str) or not one.strip():
            raise _bad_prompt(repr(one)[:80])
    return [str(one) for one in listed]


def seeds_of(n: Any, seed: Any, texts: int = 1) -> list[int]:
    """Raises: InputError ``bad_count``, ``bad_seed``."""
    if type(n) is not int or not 1 <= n * texts <= MOST:
        raise InputError(
            "bad_count",
            "So many pictures are not drawn.",
            received=f"{n} of each of {texts}",
            allowed=f"1 to {MOST} in all",
            next="Draw them in several calls, each with a seed of its own.",
        )
    if type(seed) is not int or not 0 <= seed < SEEDS:
        raise InputError(
            "bad_seed",
            "A seed is a whole number.",
            received=repr(seed),
            allowed="0 or more",
            next="For example seed 0.",
        )
    return [seed + i for i in range(n)]


def sampling(settings: Mapping[str, Any]) -> Sampling:
    """Raises: InputError ``bad_option`` with every mistake."""
    try:
        return Sampling(**settings)
    except ValidationError as error:
        keys = sorted(Sampling.model_fields)
        raise InputError(
            "bad_option",
            "The settings of a picture have mistakes.",
            received="; ".join(mistakes(error, keys)),
            allowed=", ".join(keys),
            next="For example steps=30, guidance=3.0.",
        ) from error


def _bad_prompt(received: str) -> InputError:
    return InputError(
        "bad_prompt",
        "What to draw is said by a text.",
        received=received,
        allowed="a text such as 'a wug clock', or a list of texts",
        next='For example: supertune generate MODEL "a wug clock"; a style paints photographs: '
        "--picture photo.jpg",
    )
