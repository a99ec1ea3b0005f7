"""Every kind of file becomes the same upright, opaque picture, or is refused by its name."""

from __future__ import annotations

import time

import numpy as np
import pytest
from PIL import Image
from tests.data.pictures.conftest import (
    BLUE,
    BOMBS,
    FORMATS,
    GREEN,
    RED,
    YELLOW,
    corners,
    encoded,
    noise,
    picture,
    quarters,
)

from supertune.contracts import Picture
from supertune.data.pictures.decoding import arrays, each, opened
from supertune.errors import InputError

UPRIGHT = [RED, BLUE, GREEN, YELLOW]
# What the corners of the stored picture show once it is turned, by Exif's number.
TURNED = {
    1: UPRIGHT,
    2: [BLUE, RED, YELLOW, GREEN],
    3: [YELLOW, GREEN, BLUE, RED],
    4: [GREEN, YELLOW, RED, BLUE],
    5: [RED, GREEN, BLUE, YELLOW],
    6: [GREEN, RED, YELLOW, BLUE],
    7: [YELLOW, BLUE, GREEN, RED],
    8: [BLUE, YELLOW, RED, GREEN],
}


@pytest.mark.parametrize("kind", FORMATS)
def test_each_format_shows_the_same(kind: str) -> None:
    found = opened(picture(quarters(), kind))
    assert (found.mode, found.size, corners(found)) == ("RGB", (60, 40), UPRIGHT)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", TURNED)
def test_a_picture_is_turned_as_the_camera_was_held(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = opened(picture(quarters(), kind, exif=exif))
    assert corners(found) == TURNED[orientation]
    assert found.size == ((60, 40) if orientation < 5 else (40, 60))


def test_damaged_exif_leaves_the_picture_as_it_is() -> None:
    exif = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + bytes(5)
    assert corners(opened(picture(quarters(), "JPEG", exif=exif))) == UPRIGHT


def test_what_is_transparent_lies_on_white() -> None:
    clear = quarters()
    clear.putalpha(0)
    half = quarters()
    half.putalpha(128)
    white, pale = (255, 255, 255), (255, 102, 102)
    assert corners(opened(picture(clear))) == [white] * 4
    assert corners(opened(picture(half)))[0] in (pale, (255, 153, 153))
    grey = opened(picture(clear.convert("LA")))
    assert corners(grey) == [white] * 4
    palette = quarters().convert("P")
    cut = picture(palette, transparency=palette.getpixel((2, 2)))
    assert corners(opened(cut)) == [white, BLUE, GREEN, YELLOW]
    assert corners(opened(picture(quarters(), transparency=RED)))[0] == white


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK"])
def test_other_colours_become_red_green_and_blue(mode: str) -> None:
    kind = "JPEG" if mode == "CMYK" else "PNG"
    found = opened(picture(quarters().convert(mode), kind))
    assert found.mode == "RGB"
    if mode in ("P", "CMYK"):
        assert corners(found) == UPRIGHT
    if mode == "L":
        assert np.ptp(np.asarray(found), axis=2).max() == 0


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_not_cut(kind: str) -> None:
    ramp = np.linspace(0, 65535, 4096).astype(np.uint16).reshape(64, 64)
    found = np.asarray(opened(picture(Image.fromarray(ramp), kind)))
    assert found.min() == 0
    assert found.max() == 255
    np.testing.assert_allclose(found[:, :, 0], ramp / 257, atol=0.51)


def test_floats_are_shown_from_black_to_white() -> None:
    ramp = np.linspace(0, 1, 4096, dtype=np.float32).reshape(64, 64)
    found = np.asarray(opened(picture(Image.fromarray(ramp), "TIFF")))
    np.testing.assert_allclose(found[:, :, 1], ramp * 255, atol=0.51)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame_counts(kind: str) -> None:
    moving = picture(quarters(), kind, save_all=True, append_images=[Image.new("RGB", (60, 40))])
    assert corners(opened(moving)) == UPRIGHT


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.5, 0.02])
def test_a_file_that_is_cut_short_is_refused_by_name(kind: str, share: float) -> None:
    data = encoded(noise(), kind)
    with pytest.raises(InputError, match="cats/1") as refused:
        opened(Picture.of(data[: max(20, int(share * len(data)))], "cats/1"))
    assert refused.value.code == "picture_broken"


@pytest.mark.parametrize("name", BOMBS)
def test_too_large_a_picture_is_refused_within_a_second(name: str) -> None:
    started = time.process_time()
    with pytest.raises(InputError) as refused:
        opened(Picture.of(BOMBS[name], "bomb"))
    assert refused.value.code == "picture_too_large"
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize(
    "data", [b"hello, a text", b"%PDF-1.7 ...", b"<svg></svg>", b"\0\0\0\x18ftypheic" + bytes(40)]
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(InputError) as refused:
        opened(Picture.of(data, "a.png"))
    assert refused.value.code == "not_a_picture"


def test_a_reduced_decoding_shows_the_same_and_is_never_too_small() -> None:
    photograph = picture(quarters(1600, 1200), "JPEG", quality=92)
    found = opened(photograph, least=256)
    assert 256 <= min(found.size) < 1200
    assert corners(found) == UPRIGHT


def test_arrays_keep_the_order_whatever_the_number_of_threads() -> None:
    many = [picture(noise(seed)) for seed in range(20)]
    one = arrays(many, 32, workers=1)
    assert one.shape == (20, 32, 32, 3)
    assert one.dtype == np.uint8
    np.testing.assert_array_equal(one, arrays(many, 32, workers=4))
    assert len({row.tobytes() for row in one}) == 20


def test_arrays_can_crop_pad_and_stretch() -> None:
    wide = [picture(quarters(80, 40))]
    cropped, padded = arrays(wide, 40, fit="crop")[0], arrays(wide, 40, fit="pad")[0]
    stretched = arrays(wide, 40, fit="stretch")[0]
    assert tuple(cropped[20, 0]) == tuple(cropped[39, 0]) == GREEN
    assert tuple(padded[0, 20]) == (255, 255, 255)
    assert tuple(padded[26, 2]) == GREEN
    assert corners(Image.fromarray(stretched)) == UPRIGHT


def test_the_first_broken_picture_is_named() -> None:
    many = [picture(noise(seed)) for seed in range(8)]
    many[3] = Picture.of(b"\x89PNG\r\n\x1a\nnothing", "third")
    many[6] = Picture.of(b"", "sixth")
    with pytest.raises(InputError, match="third"):
        arrays(many, 16, workers=4)


def test_decoding_does_not_run_far_ahead() -> None:
    begun: list[str] = []

    def work(one: Picture) -> str:
        begun.append(one.name)
        return one.name

    many = [Picture(str(i), str(i), data=b"") for i in range(500)]
    results = each(work, many, workers=2)
    assert [next(results) for _ in range(3)] == ["0", "1", "2"]
    assert len(begun) < 20
    results.close()


def test_decoding_takes_as_many_threads_as_a_recipe_says() -> None:
    import threading

    from supertune import limits, pipeline
    from supertune.config import recipe

    def busy(_: int) -> int:
        time.sleep(0.002)
        return threading.get_ident()

    before = limits.processors()
    try:
        seen = {}
        for wanted in (1, 3):
            pipeline.Workshop(recipe({"threads": wanted}))
            seen[wanted] = set(each(busy, range(60)))
        assert seen[1] == {threading.get_ident()}
        assert 1 < len(seen[3]) <= 3
        pipeline.Workshop(recipe({}))
        assert limits.processors() == before
    finally:
        limits.use_threads(None)
