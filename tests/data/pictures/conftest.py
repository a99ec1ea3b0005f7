"""Pictures of four coloured quarters, and files that only say they are large."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from supertune.contracts import Picture

RED, GREEN, BLUE, YELLOW = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "AVIF")


def quarters(width: int = 60, height: int = 40) -> Image.Image:
    """Red and blue above, green and yellow below."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2], pixels[: height // 2, width // 2 :] = RED, BLUE
    pixels[height // 2 :, : width // 2], pixels[height // 2 :, width // 2 :] = GREEN, YELLOW
    return Image.fromarray(pixels)


def noise(seed: int = 0, size: int = 80) -> Image.Image:
    """A picture that no compression makes small, of blobs that a smaller copy still shows."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8))
    fine = rng.integers(-20, 20, (size, size, 3))
    pixels = np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC)) + fine
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def picture(image: Image.Image, kind: str = "PNG", **options: Any) -> Picture:
    return Picture.of(encoded(image, kind, **options), f"a.{kind.lower()}")


def corners(image: Image.Image) -> list[tuple[int, ...]]:
    """The colours near the four corners, rounded to what every format keeps."""
    pixels = np.asarray(image).astype(int)
    near = [pixels[y, x] for y, x in ((3, 3), (3, -4), (-4, 3), (-4, -4))]
    return [tuple(int(round(v / 51) * 51) for v in one) for one in near]


def png_saying(width: int, height: int) -> bytes:
    """A PNG whose header declares a size, and whose data would unpack to a megabyte of zeros."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(bytes(1_000_000))), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


def gif_saying(width: int, height: int) -> bytes:
    screen = struct.pack("<HH", width, height) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff"
    frame = b",\0\0\0\0" + struct.pack("<HH", width, height) + b"\0\x02\x02D\x01\0;"
    return b"GIF89a" + screen + frame


def bmp_saying(width: int, height: int) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 100, 0, 0, 54) + header + bytes(64)


def webp_saying(width: int, height: int) -> bytes:
    """The extended form, whose canvas may be larger than any frame."""
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    canvas = b"VP8X" + struct.pack("<I", 10) + bytes(4) + sizes
    frame = encoded(quarters(), "WEBP", lossless=True)[12:]
    return b"RIFF" + struct.pack("<I", 4 + len(canvas) + len(frame)) + b"WEBP" + canvas + frame


def tiff_saying(width: int, height: int) -> bytes:
    """A little-endian TIFF with one strip that is not there."""
    tags = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1)]
    tags += [(273, 4, 8), (277, 3, 1), (278, 4, height), (279, 4, width * height % 2**32)]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)


BOMBS = {
    "PNG": png_saying(60_000, 60_000),
    "PNG just too large": png_saying(5001, 5000),
    "GIF": gif_saying(65_000, 65_000),
    "BMP": bmp_saying(60_000, 60_000),
    "WebP": webp_saying(16_383, 16_383),
    "TIFF": tiff_saying(60_000, 60_000),
}


def write(folder: Path, files: dict[str, bytes | Image.Image]) -> Path:
    """Files by their path in ``folder``."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else encoded(content))
    return folder


@pytest.fixture
def stamps(tmp_path: Path) -> Path:
    """Two class folders of three pictures each, all different."""
    files = {f"cats/{i}.png": noise(i) for i in range(3)}
    files |= {f"dogs/{i}.png": noise(10 + i) for i in range(3)}
    return write(tmp_path / "stamps", files)
