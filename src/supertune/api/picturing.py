"""`supertune.generate`: pictures drawn by a tuned model, or by a backbone as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from supertune import registry
from supertune.api import painting
from supertune.artifact.manifest import FILE
from supertune.config import recipe
from supertune.contracts import HeadSpec, Lens, State, Tuned
from supertune.contracts.diffusion import DRAWS
from supertune.errors import InputError
from supertune.model import Model, load
from supertune.pipeline import Workshop
from supertune.report import generated
from supertune.training import drawing

COLUMNS = 8  # pictures side by side in a grid


def generate(
    model: Model | str | Path,
    prompts: str | Sequence[str] | None = None,
    *,
    pictures: Any = None,
    n: int = 1,
    seed: int = 0,
    strength: float = 1.0,
    blend: Mapping[str, float] | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    device: str = "auto",
    threads: int | None = None,
    progress: Callable[[str, int, int | None], None] | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Draw pictures by texts, or paint photographs again in a style.

    Args:
        model: a model of image_generation or its folder; or the name or folder of a backbone, which
            then draws untuned.
        prompts: what to draw; one text or several.
        pictures: instead, for a model of image_stylization, photographs to paint: a path, a folder,
            or a list of paths, bytes, images of Pillow or arrays.
        n: pictures of each text. The i-th has the seed ``seed + i``, whichever the text.
        strength, blend: of a model of a style, how far to go to its style, and folders of other
            such models with how far to go to theirs.
        output: a .png file for a grid, or a folder for one file a picture.
        overwrite: whether files may be replaced.
        settings: ``steps``, ``guidance``, ``negative``: see `supertune.contracts.Sampling`; with
            photographs ``size``, pixels of the longer side at most, 1024 by default.

    Returns:
        ``pictures``: arrays (h, w, 3) of uint8, text after text; ``prompts``, ``seeds`` (of each
        picture), ``sampling``, and ``written``, the places that were written. Of photographs
        ``pictures`` (empty where they went to a folder), ``photographs``, their names, ``scaled``,
        those that were made smaller, and ``written``.

    Raises:
        InputError: as `supertune.training.drawing.drawn`, ``output_exists``, ``output_suffix``,
            ``output_parent_missing``, and as `supertune.load`; ``prompt_and_picture``, and as
            `supertune.training.painting`.

    Example:
        >>> supertune.generate("wug-model", "a wug clock", n=8, output="grid.png")
        >>> supertune.generate("painting-model", pictures="photo.jpg", output="painted.png")
    """
    place = None if output is None else _checked(Path(output), overwrite)
    where = {"device": device, "threads": threads}
    how = {"strength": strength, "blend": blend or {}, "progress": progress, **settings}
    if pictures is not None:
        return _painted(model, prompts, pictures, place, where, **how)
    return _drawn(model, prompts, n, seed, place, where, **how)


def _drawn(
    model: Model | str | Path,
    prompts: Any,
    n: int,
    seed: int,
    place: Path | None,
    where: Mapping[str, Any],
    *,
    strength: float,
    blend: Mapping[str, float],
    progress: Callable[[str, int, int | None], None] | None,
    **settings: Any,
) -> dict[str, Any]:
    texts, how = drawing.prompts_of(prompts), drawing.sampling(settings)
    seeds = drawing.seeds_of(n, seed, len(texts))
    tuned, lens = _painter(model, **where)
    told = None if progress is None else partial(progress, "draw")
    others = [(load(folder).tuned, weight) for folder, weight in blend.items()]
    pictures = drawing.drawn(
        tuned, lens, texts, n=n, seed=seed, strength=strength, others=others, progress=told,
        **settings,
    )  # fmt: skip
    all_seeds = seeds * len(texts)
    written = [] if place is None else _write(pictures, place, all_seeds, n)
    return {
        "pictures": pictures,
        "prompts": texts,
        "seeds": all_seeds,
        "sampling": how.model_dump(),
        "written": [str(one) for one in written],
    }


def _painted(
    model: Model | str | Path,
    prompts: Any,
    pictures: Any,
    place: Path | None,
    where: Mapping[str, Any],
    *,
    progress: Callable[[str, int, int | None], None] | None,
    **how: Any,
) -> dict[str, Any]:
    odd = sorted(set(how) - {"strength", "blend", "size"})
    if prompts or odd:
        raise InputError(
            "prompt_and_picture",
            "A photograph is painted in a style, which no text has a part in.",
            received=f"photographs and {', '.join(odd) or 'a text'}",
            allowed="photographs, strength, blend and size",
            next="Leave either the text or the photographs out.",
        )
    found = model if isinstance(model, Model) else load(model, **where)
    told = None if progress is None else partial(progress, "paint")
    return painting.paint(found, pictures, place=place, progress=told, **how)


def _painter(
    model: Model | str | Path, device: str, threads: int | None
) -> tuple[Tuned, Lens | None]:
    """What draws: a model that is open or to be opened, or a backbone as it is."""
    if not isinstance(model, Model) and not (Path(model) / FILE).is_file():
        return _untuned(str(model), device, threads)
    found = model if isinstance(model, Model) else load(model, device=device, threads=threads)
    return found.tuned, found.workshop.lens(found.backbone)


def _untuned(name: str, device: str, threads: int | None) -> tuple[Tuned, Lens | None]:
    keys = {"task": "image_generation", "backbone": name, "method": "untuned"}
    workshop = Workshop(recipe({**keys, "device": device, "threads": threads}))
    if "denoise" not in workshop.offer(name).capabilities:
        raise InputError(
            "no_painter",
            f"{name} draws no pictures.",
            received=f"a {workshop.offer(name).architecture}",
            allowed="a model of image_generation, or a pipeline of diffusers",
            next="`supertune backbones` says what each backbone offers.",
        )
    lens: Any = workshop.lens(name)
    method: Any = registry.method("untuned")
    return method.restore(State({}), HeadSpec(1, draws=DRAWS), lens), lens


def _checked(place: Path, overwrite: bool) -> Path:
    """Raises: InputError ``output_exists``, ``output_suffix``, ``output_parent_missing``."""
    if place.suffix and place.suffix.lower() != ".png":
        raise InputError(
            "output_suffix",
            "Pictures are written as PNG.",
            received=str(place),
            allowed="a name that ends in .png for a grid, or a folder",
            next=f"For example --output {place.with_suffix('.png')}",
        )
    if place.exists() and not overwrite and not (place.is_dir() and not any(place.iterdir())):
        raise InputError(
            "output_exists",
            f"{place} is there already.",
            received=str(place),
            allowed="a new name",
            next="Choose another name, or add --overwrite.",
        )
    if not place.parent.is_dir():
        raise InputError(
            "output_parent_missing",
            f"The folder that should hold {place.name} does not exist.",
            received=str(place.parent),
            allowed="an existing folder",
            next=f'mkdir "{place.parent}"',
        )
    return place


def _write(pictures: drawing.Pictures, place: Path, seeds: Sequence[int], n: int) -> list[Path]:
    if place.suffix:
        columns = n if n > 1 else min(COLUMNS, len(pictures))
        image = generated.grid(pictures, min(columns, 2 * COLUMNS))
        image.save(place, "PNG")
        return [place]
    place.mkdir(exist_ok=True)
    written = []
    for number, (one, seed) in enumerate(zip(pictures, seeds, strict=True)):
        path = place / f"{number // n + 1:02}-{seed:04}.png"
        path.write_bytes(generated.png(one))
        written.append(path)
    return written
