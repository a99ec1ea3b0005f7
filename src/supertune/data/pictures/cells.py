"""From what a cell holds to a picture: a path, bytes, an image of Pillow, an array."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from supertune.contracts import Picture
from supertune.data.cells import is_empty, shown
from supertune.data.media_cells import Place, exists, is_struct, near
from supertune.data.pictures import formats
from supertune.data.pictures.decoding import flattened
from supertune.data.pictures.orientation import of_exif
from supertune.errors import InputError

ALLOWED = (
    "paths of pictures, their bytes, images of Pillow, or arrays (height, width, 3) of uint8 or "
    "of floats from 0 to 1"
)


def is_picture(cell: Any) -> bool:
    """Whether a cell is a picture by itself; a path is only a text."""
    if isinstance(cell, Picture | bytes | bytearray | memoryview) or _is_array(cell):
        return True
    return is_struct(cell) or _of_pillow(cell)


def picture(cell: Any, place: Place) -> Picture | None:
    """The picture in a cell; None where the cell is empty.

    Raises:
        InputError: ``no_picture`` for what is none, ``bad_array``, ``remote_picture``,
            ``picture_missing``; and as `formats.content`.
    """
    if is_struct(cell):
        held, name = cell["bytes"], cell["path"]
        if held is None:
            return picture(name, place)
        return Picture.of(bytes(held), Path(str(name)).name if name else str(place))
    if isinstance(cell, Picture):
        return cell
    if isinstance(cell, bytes | bytearray | memoryview):
        return Picture.of(bytes(cell), str(place))
    if _is_array(cell):
        return Picture.of(_saved(_as_image(cell, place)), str(place))
    if _of_pillow(cell):
        return _from_pillow(cell, place)
    if is_empty(cell):
        return None
    if isinstance(cell, str | os.PathLike):
        return _from_path(str(cell), place)
    raise InputError(
        "no_picture",
        "This is no picture.",
        received=f"{place}: {type(cell).__name__} {shown(cell)}",
        allowed=ALLOWED,
        next="Correct the row, or name another column with --picture NAME.",
    )


def _from_path(name: str, place: Place) -> Picture:
    if "://" in name[:12]:
        raise InputError(
            "remote_picture",
            "Pictures are read from this machine only.",
            received=f"{place}: {name[:200]}",
            allowed="paths of files, relative to the file that names them",
            next="Download the pictures, then give their paths.",
        )
    path = (place.folder or Path()) / name
    if not exists(path):
        raise formats.missing(name[:200], f"{place}: ", near(path, place))
    if path.is_dir():
        raise InputError(
            "no_picture",
            f"'{name}' is a folder.",
            received=f"{place}: {name}",
            allowed="paths of pictures",
            next="Name the pictures in it, or give the folder itself as the data.",
        )
    data = formats.contents_of(path, name)
    return Picture.of(data, name if not Path(name).is_absolute() else path.name, path)


def _is_array(cell: Any) -> bool:
    return isinstance(cell, np.ndarray) and cell.ndim >= 2


def _of_pillow(cell: Any) -> bool:
    if "PIL.Image" not in sys.modules:
        return False
    from PIL import Image

    return isinstance(cell, Image.Image)


def _from_pillow(image: Any, place: Place) -> Picture:
    formats.check_size(Picture("", str(place)), image.size)
    try:
        return Picture.of(_saved(image), str(place))
    except Exception as error:  # an image whose file is cut short is loaded only now
        raise formats.broken(Picture("", str(place)), error) from error


def _as_image(array: Any, place: Place) -> Any:
    from PIL import Image

    pixels = np.asarray(array)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    colours = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))
    if pixels.dtype.kind == "f" and colours and pixels.size:
        within = bool(np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 1)
        pixels = np.round(pixels * 255).astype(np.uint8) if within else pixels
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * 255
    if not colours or pixels.dtype != np.uint8 or not pixels.size:
        raise InputError(
            "bad_array",
            "An array is no picture.",
            received=f"{place}: shape {array.shape}, {array.dtype}"
            + (
                f" from {array.min()} to {array.max()}"
                if array.size and array.dtype.kind in "fiu"
                else ""
            ),
            allowed="(height, width) or (height, width, 3 or 4) of uint8, or of floats from 0 to 1",
            next="For example (255 * array).astype('uint8'); channels come last.",
        )
    formats.check_size(Picture("", str(place)), (pixels.shape[1], pixels.shape[0]))
    return Image.fromarray(pixels)


_SAVED_AS_IT_IS = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")


def _saved(image: Any) -> bytes:
    """As PNG, which loses nothing; lightly compressed, since it only passes through."""
    turned = of_exif(image)
    image = image if turned is None else image.transpose(turned)
    if image.mode not in _SAVED_AS_IT_IS:
        image = flattened(image)
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)
    return stream.getvalue()
