"""Data sets of pictures hold what the catalogue says; a draw shows no test picture to the fit."""

from __future__ import annotations

import hashlib
import io
import lzma
import os
import stat
import tarfile
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest
from tests.catalogue.conftest import Server

from supertune.catalogue import archives, data_sets, index
from supertune.catalogue.corpora import dataset, few_shot
from supertune.catalogue.data_sets import DatasetEntry
from supertune.catalogue.entry import Package
from supertune.catalogue.packages import archive
from supertune.catalogue.picture_formats import packed
from supertune.data.pictures import formats, glimpses
from supertune.errors import EnvironmentFault, InputError

PICTURES = [entry for entry in data_sets.datasets() if entry.kind == "pictures"]
every = pytest.mark.parametrize("entry", PICTURES, ids=lambda entry: entry.name)


@every
def test_the_pictures_and_labels_are_as_many_as_the_catalogue_says(entry: DatasetEntry) -> None:
    folder = dataset(entry.name)
    splits = {path.stem: packed(path) for path in folder.glob("*.zip")}
    assert {split: len(found) for split, found in splits.items()} == dict(entry.rows)
    for found in splits.values():
        assert len({label for _, label in found}) == entry.labels
        assert len({name for name, _ in found}) == len(found)


@every
def test_a_draw_has_so_many_pictures_a_label_and_shares_none(entry: DatasetEntry) -> None:
    train, test = few_shot(entry.name, per_class=5, test_rows=100, seed=3)
    assert Counter(label for _, label in train) == dict.fromkeys({b for _, b in train}, 5)
    assert len({label for _, label in train}) == entry.labels
    held = entry.rows.get("test", entry.rows["train"] - len(train))
    assert len(test) == min(100, held)
    assert not {one.sha256 for one, _ in train} & {one.sha256 for one, _ in test}
    seen = glimpses.of([one for one, _ in (*train, *test)])
    assert all(one.broken is None for one in seen)


def test_the_same_seed_draws_the_same_pictures() -> None:
    one, other, another = (
        few_shot("tux-stamps", per_class=2, test_rows=20, seed=seed) for seed in (1, 1, 2)
    )
    assert one == other != another


def test_what_is_on_a_picture_is_what_its_label_says() -> None:
    """The published order of Fashion-MNIST and of the digits, by what is easily told apart."""
    boots, _ = few_shot("fashion-mnist", per_class=12, test_rows=0, seed=0)
    light = {label: 0.0 for _, label in boots}
    for (_, label), seen in zip(boots, glimpses.of([one for one, _ in boots]), strict=True):
        light[label] += float(seen.small.mean())
    assert min(light, key=light.__getitem__) in ("Sandal", "Sneaker")
    assert max(light, key=light.__getitem__) in ("Coat", "Pullover")
    digits, _ = few_shot("mnist-5k", per_class=12, test_rows=0, seed=0)
    ink = {label: 0.0 for _, label in digits}
    for (_, label), seen in zip(digits, glimpses.of([one for one, _ in digits]), strict=True):
        ink[label] += float(seen.small.mean())
    assert (min(ink, key=ink.__getitem__), max(ink, key=ink.__getitem__)) == ("1", "0")


def test_photographs_of_trees_come_with_their_boxes() -> None:
    folder = dataset("deepforest")
    boxes = {path.stem: ET.parse(path).findall("object") for path in folder.glob("*.xml")}
    assert len(boxes) == data_sets.dataset("deepforest").rows["train"]
    assert 900 <= sum(map(len, boxes.values())) <= 1000
    for path in folder.glob("*.png"):
        assert path.stem in boxes
        assert formats.is_named_so(path)
    with pytest.raises(InputError, match="boxes"):
        few_shot("deepforest", per_class=1, test_rows=1, seed=0)


# --- Debian packages --------------------------------------------------------------------------


def deb(path: Path, files: dict[str, bytes], before: bytes = b"2.0\n") -> Path:
    """An ar archive with debian-binary, of an odd or even length, and data.tar.xz."""
    inside = io.BytesIO()
    with tarfile.open(fileobj=inside, mode="w") as archive:
        folder = tarfile.TarInfo("./")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    content = b"!<arch>\n"
    members = (b"debian-binary", before), (b"data.tar.xz", lzma.compress(inside.getvalue()))
    for name, data in members:
        content += name.ljust(16) + b"0".ljust(32) + str(len(data)).encode().ljust(10) + b"`\n"
        content += data + b"\n" * (len(data) % 2)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("before", [b"2.0\n", b"2.0"], ids=["even", "odd"])
def test_a_debian_package_gives_its_files(tmp_path: Path, before: bytes) -> None:
    made = deb(tmp_path / "a.deb", {"./usr/a.txt": b"one", "./usr/b.txt": b"two"}, before)
    assert list(archives.members(made, lambda name: name.endswith("b.txt"))) == [
        ("usr/b.txt", b"two")
    ]


def test_a_debian_package_is_held_to_the_same_rules(tmp_path: Path) -> None:
    made = deb(tmp_path / "a.deb", {"./../evil.txt": b"x"})
    with pytest.raises(InputError) as refused:
        list(archives.members(made, lambda name: True))
    assert refused.value.code == "archive_unsafe"
    for name, content in (("cut", made.read_bytes()[:90]), ("none", b"!<arch>\n"), ("not", b"x")):
        damaged = tmp_path / f"{name}.deb"
        damaged.write_bytes(content)
        with pytest.raises(InputError) as refused:
            list(archives.members(damaged, lambda name: True))
        assert refused.value.code == "archive_damaged"


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A client called apt-get that says what the file ``said`` holds, on this machine's PATH."""
    programs = tmp_path / "programs"
    programs.mkdir()
    program = programs / "apt-get"
    program.write_text(f'#!/bin/sh\necho "$@" > "{tmp_path}/asked"\ncat "{tmp_path}/said"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def test_apt_says_where_a_package_lies_and_it_is_fetched_from_there(
    apt: Path, index: Server, cache: Path, tmp_path: Path
) -> None:
    data = deb(tmp_path / "words.deb", {"./usr/words.txt": b"words"}).read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    package = Package("debian", "words", "1.0-2", "words_1.0-2_all.deb", digest, len(data))
    index.put("/pool/words.deb", data)
    (apt / "said").write_text(f"'{index.address}/pool/words.deb' {package.file} 9 SHA256:39\n")
    found = archive(package)
    assert found == cache / "packages" / package.file
    assert found.read_bytes() == data
    assert (apt / "asked").read_text().split() == ["--print-uris", "download", "words=1.0-2"]


def test_a_machine_without_apt_learns_which_file_to_copy(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUPERTUNE_OFFLINE", raising=False)
    monkeypatch.setenv("PATH", str(cache))
    with pytest.raises(EnvironmentFault, match="apt-get is not installed") as caught:
        dataset("tux-stamps")
    assert data_sets.dataset("tux-stamps").package.file in str(caught.value.allowed)


def test_apt_that_knows_no_such_version_is_told_to_be_renewed(apt: Path) -> None:
    (apt / "said").write_text("")
    package = Package("debian", "words", "1", "words_1_all.deb", "0" * 64, 1)
    with pytest.raises(ValueError, match="apt-get update"):
        index.address(package)
