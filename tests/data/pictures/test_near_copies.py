"""Copies are found however they were saved; pictures that only look alike are not."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from tests.data.pictures.conftest import encoded, noise, picture

from supertune.catalogue.corpora import few_shot
from supertune.contracts import Picture
from supertune.data.pictures import glimpses
from supertune.data.pictures.decoding import opened
from supertune.data.pictures.near_copies import clusters


@pytest.fixture(scope="module")
def stamps() -> list[Picture]:
    train, test = few_shot("tux-stamps", per_class=8, test_rows=60, seed=0)
    return [one for one, _ in (*train, *test)]


COPIES = {
    "as JPEG": lambda image: picture(image, "JPEG", quality=90),
    "as a poor JPEG": lambda image: picture(image, "JPEG", quality=50),
    "with 64 colours": lambda image: picture(image.quantize(64)),
    "a tenth darker": lambda image: picture(ImageEnhance.Brightness(image).enhance(0.9)),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_found_whatever_was_done_to_it(stamps: list[Picture], name: str) -> None:
    originals = stamps[:20]
    copies = [COPIES[name](opened(one)) for one in originals]
    found = clusters([*originals, *copies])
    assert sorted(map(tuple, found)) == [(i, i + 20) for i in range(20)]


def test_scaled_copies_are_found_mostly(stamps: list[Picture]) -> None:
    originals = stamps[:40]
    images = [opened(one) for one in originals]
    halves = [
        picture(one.resize((max(8, one.width // 2), max(8, one.height // 2)))) for one in images
    ]
    assert len(clusters([*originals, *halves])) >= 38


def test_different_stamps_are_not_taken_for_copies(stamps: list[Picture]) -> None:
    assert clusters(stamps) == []


def test_emoji_that_share_a_fingerprint_are_not_taken_for_copies() -> None:
    train, test = few_shot("emoji", per_class=20, test_rows=300, seed=1)
    emoji = [one for one, _ in (*train, *test)]
    marks = np.array([one.fingerprint for one in glimpses.of(emoji)], dtype=np.uint64)
    alike = int((np.bitwise_count(marks[:, None] ^ marks[None]) <= 10).sum() - len(marks)) // 2
    assert alike > 100, "or the test shows nothing"
    assert sum(map(len, clusters(emoji))) <= 8


def test_equal_files_are_together_and_broken_ones_alone() -> None:
    one, other = picture(noise(1)), picture(noise(2))
    broken = Picture.of(encoded(noise(3))[:60], "broken")
    again = Picture.of(one.read(), "another name")
    assert clusters([one, broken, other, again, broken]) == [[0, 3]]


def test_plain_ground_is_no_copy_of_a_drawing() -> None:
    plain = [picture(Image.new("RGB", (64, 64), colour)) for colour in ("white", "black")]
    assert clusters([*plain, picture(noise(4, 64))]) == []
    assert clusters([]) == []
