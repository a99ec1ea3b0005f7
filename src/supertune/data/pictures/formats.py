"""Which files are pictures, and what a file says of itself before anything of it is decoded."""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias

from supertune.contracts import Picture
from supertune.data.pictures.orientation import apart
from supertune.data.signatures import kind
from supertune.errors import EnvironmentFault, InputError

if TYPE_CHECKING:
    from PIL import ImageFile

_Factory: TypeAlias = "Callable[[IO[bytes], str | bytes], ImageFile.ImageFile]"
_Accept: TypeAlias = "Callable[[bytes], bool | str]"

MOST_PIXELS = 25_000_000
MOST_BYTES = 200_000_000
# By Pillow's name the module that reads it; whatever else Pillow can open is never asked.
_PLUGINS = {
    "PNG": "PngImagePlugin",
    "JPEG": "JpegImagePlugin",
    "GIF": "GifImagePlugin",
    "WEBP": "WebPImagePlugin",
    "BMP": "BmpImagePlugin",
    "TIFF": "TiffImagePlugin",
    "PPM": "PpmImagePlugin",
    "AVIF": "AvifImagePlugin",
}
SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".webp", ".bmp", ".dib", ".tif", ".tiff"}
    | {".ppm", ".pgm", ".pbm", ".pnm", ".avif"}
)
READABLE = "PNG, JPEG, GIF, WebP, BMP, TIFF, PPM or AVIF"
_REPAIR = "Save or download it again, or take it out."


def is_named_so(name: str | Path) -> bool:
    """Whether a file is called like a picture."""
    return Path(name).suffix.lower() in SUFFIXES


def header(picture: Picture) -> ImageFile.ImageFile:
    """The picture with its size and mode known and not a pixel decoded.

    Raises:
        InputError: ``picture_missing``, ``picture_unreadable``, ``picture_too_large``,
            ``not_a_picture``, ``picture_broken``.
        EnvironmentFault: ``extra_missing`` without Pillow.
    """
    data, exif = apart(content(picture))
    reason: Exception | None = None
    for factory, accept in _openers():
        if accept is not None and accept(data[:16]) is not True:
            continue
        try:
            found = factory(io.BytesIO(data), "")
        except Exception as error:  # noqa: BLE001 - whatever a decoder stumbles over
            reason = error
            continue
        check_size(picture, found.size)
        if exif is not None:
            found.info["exif"] = exif
        return found
    if reason is None:
        raise _not_a_picture(picture, data)
    if type(reason).__name__ == "DecompressionBombError":
        raise _too_large(picture, str(reason)) from reason
    raise broken(picture, reason) from reason


def check_size(picture: Picture, size: tuple[int, int]) -> None:
    """Raises: InputError ``picture_too_large``, ``picture_broken`` for one without pixels."""
    width, height = size
    if width * height > MOST_PIXELS:
        raise _too_large(picture, f"{width:,} x {height:,} pixels")
    if width < 1 or height < 1:
        raise broken(picture, ValueError(f"{width} x {height} pixels"))


def content(picture: Picture) -> bytes:
    """The encoded bytes.

    Raises:
        InputError: ``picture_missing``, ``picture_unreadable``, ``picture_too_large``,
            ``picture_broken`` for none at all.
    """
    if picture.path is not None:
        return contents_of(picture.path, str(picture))
    data = picture.read()
    _check_bytes(str(picture), len(data))
    return data


def contents_of(path: Path, name: str) -> bytes:
    """The bytes of a picture's file; raises as `content`."""
    try:
        size = path.stat().st_size
        data = b"" if size > MOST_BYTES else path.read_bytes()
    except FileNotFoundError:
        raise missing(name) from None
    except (OSError, ValueError) as error:
        raise InputError(
            "picture_unreadable",
            f"{name} cannot be opened.",
            received=f"{name}: {getattr(error, 'strerror', None) or error}",
            allowed="a file that this user may read",
            next="Check what it is and who may read it, or take it out.",
        ) from error
    _check_bytes(name, size)
    return data


def missing(name: str, where: str = "", step: str = "") -> InputError:
    return InputError(
        "picture_missing",
        f"There is no picture '{name}'.",
        received=f"{where}{name}",
        allowed="files that are there",
        next=step or "Put it back, or take its row out.",
    )


def broken(picture: Picture, reason: BaseException) -> InputError:
    return InputError(
        "picture_broken",
        f"{picture} cannot be decoded.",
        received=f"{picture}: {str(reason)[:200] or type(reason).__name__}",
        allowed=f"a whole {READABLE} picture",
        next=_REPAIR,
    )


def _check_bytes(name: str, count: int) -> None:
    if count > MOST_BYTES:
        raise InputError(
            "picture_too_large",
            f"{name} is too large a file for a picture.",
            received=f"{name}: {count:,} bytes",
            allowed=f"at most {MOST_BYTES:,} bytes",
            next="Save it smaller, or take it out.",
        )
    if not count:
        raise InputError(
            "picture_broken",
            f"{name} is an empty file.",
            received=f"{name}: 0 bytes",
            allowed=f"a whole {READABLE} picture",
            next=_REPAIR,
        )


def _too_large(picture: Picture, size: str) -> InputError:
    return InputError(
        "picture_too_large",
        f"{picture} says that it has more pixels than are decoded here.",
        received=f"{picture}: {size}",
        allowed=f"at most {MOST_PIXELS // 1_000_000} megapixels",
        next="Make it smaller, or take it out; a few hundred pixels a side are enough.",
    )


def _not_a_picture(picture: Picture, data: bytes) -> InputError:
    looks = kind(data[:4096]) or "text"
    return InputError(
        "not_a_picture",
        f"{picture} is no picture that can be read.",
        received=f"{picture}: {looks}; it begins with {data[:8].hex(' ')}",
        allowed=READABLE,
        next="Save it as PNG or JPEG, or take it out.",
    )


def pillow_missing() -> EnvironmentFault:
    return EnvironmentFault(
        "extra_missing",
        "Reading pictures needs the package pillow.",
        received="pictures",
        allowed="texts and numbers without it",
        next="pip install 'supertune[vision]'",
    )


@cache
def _openers() -> tuple[tuple[_Factory, _Accept | None], ...]:
    """What Pillow opens each format by. `PIL.Image.open` would do the same, and warn of large
    pictures, which no thread may silence for itself alone; here they are refused."""
    try:
        from PIL import Image
    except ImportError:
        raise pillow_missing() from None
    for module in _PLUGINS.values():
        importlib.import_module(f"PIL.{module}")
    return tuple(Image.OPEN[name] for name in _PLUGINS if name in Image.OPEN)
