"""An archive can only give bytes: no name, link, device or size in it does anything."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from supertune.catalogue import archives
from supertune.catalogue.archives import members
from supertune.errors import InputError

TRICKS = {
    "parent": "../evil.txt",
    "parent inside": "data/../../evil.txt",
    "absolute": "/etc/evil.txt",
    "here": "./data/a.txt",
    "empty part": "data//a.txt",
    "drive": "C:/evil.txt",
    "drive relative": "C:evil.txt",
    "share": "\\\\host\\share\\evil.txt",
    "backslash parent": "..\\evil.txt",
    "stream": "data/a.txt:hidden",
    "device": "data/CON",
    "device with ending": "data/aux.txt",
    "device of a port": "com1/a.txt",
    "trailing dot": "data./a.txt",
    "trailing space": "data/a.txt ",
    "line break": "data/a\n.txt",
    "quote": 'data/a".txt',
    "wildcard": "data/*.txt",
}


def tar_of(path: Path, *infos: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for info in infos:
            archive.addfile(info, io.BytesIO(b"x" * info.size))
    return path


def entry(
    name: str, kind: bytes = tarfile.REGTYPE, size: int = 1, link: str = ""
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    info.size = size if kind == tarfile.REGTYPE else 0
    return info


def zip_of(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def refusal(path: Path, *, wanted: str | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        list(members(path, lambda name: wanted is None or name == wanted))
    return caught.value


@pytest.mark.parametrize("name", TRICKS.values(), ids=TRICKS)
def test_a_tar_with_a_name_that_is_no_plain_path_is_refused(tmp_path: Path, name: str) -> None:
    path = tar_of(tmp_path / "a.tar.gz", entry("data/good.txt"), entry(name))
    assert refusal(path).code == "archive_unsafe"
    assert [each.name for each in tmp_path.iterdir()] == ["a.tar.gz"]


@pytest.mark.parametrize("name", TRICKS.values(), ids=TRICKS)
def test_a_wheel_with_a_name_that_is_no_plain_path_is_refused(tmp_path: Path, name: str) -> None:
    path = zip_of(tmp_path / "a.whl", **{name: b"x"})
    error = refusal(path)
    assert error.code == "archive_unsafe"
    assert error.received
    assert error.next


def test_a_trick_beside_the_wanted_file_spoils_the_archive(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "a.tar.gz", entry("../evil.txt"), entry("data/good.txt"))
    assert refusal(path, wanted="data/good.txt").code == "archive_unsafe"


@pytest.mark.parametrize(
    ("kind", "link"),
    [
        (tarfile.SYMTYPE, "/etc/passwd"),
        (tarfile.LNKTYPE, "data/good.txt"),
        (tarfile.CHRTYPE, ""),
        (tarfile.BLKTYPE, ""),
        (tarfile.FIFOTYPE, ""),
    ],
    ids=["symbolic link", "hard link", "character device", "block device", "pipe"],
)
def test_what_is_no_regular_file_is_never_read(tmp_path: Path, kind: bytes, link: str) -> None:
    infos = entry("data/good.txt"), entry("data/odd.txt", kind, link=link)
    path = tar_of(tmp_path / "a.tar.gz", *infos)
    assert "no regular file" in str(refusal(path).received)
    # Where nobody asks for it, it is passed over.
    assert [name for name, _ in members(path, lambda n: n == "data/good.txt")] == ["data/good.txt"]


def test_a_symbolic_link_in_a_wheel_is_never_read(tmp_path: Path) -> None:
    path = tmp_path / "a.whl"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("data/link.txt")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    assert "no regular file" in str(refusal(path).received)


def test_names_that_are_one_on_some_systems_are_refused(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.whl", **{"data/A.txt": b"1", "data/a.txt": b"2"})
    assert "overwrite" in str(refusal(path).received)


def test_a_bomb_is_refused_before_it_unpacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zip_of(tmp_path / "a.whl", **{f"data/{i}.txt": bytes(1000) for i in range(30)})
    assert len(list(members(path, lambda name: True))) == 30
    for limit, value in (("LARGEST", 999), ("ALTOGETHER", 29_999), ("MEMBERS", 29)):
        with monkeypatch.context() as patch:
            patch.setattr(archives, limit, value)
            assert refusal(path).code == "archive_unsafe", limit


def test_a_size_that_lies_gives_an_error_and_no_endless_bytes(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.whl", **{"data/a.txt": bytes(1_000_000)})
    raw = path.read_bytes()
    small, true = (10).to_bytes(4, "little"), (1_000_000).to_bytes(4, "little")
    path.write_bytes(raw.replace(true, small))
    assert refusal(path).code == "archive_damaged"


@pytest.mark.parametrize("name", ["a.whl", "a.tar.gz", "a.tgz"])
def test_what_is_no_archive_or_is_cut_short_says_so(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"no archive at all")
    assert refusal(path).code == "archive_damaged"
    whole = zip_of(path, a=b"x" * 99) if name.endswith("whl") else tar_of(path, entry("a", size=99))
    path.write_bytes(whole.read_bytes()[:-40])
    assert refusal(path).code == "archive_damaged"


def test_wanted_files_come_with_their_bytes_and_folders_do_not(tmp_path: Path) -> None:
    infos = entry("data", tarfile.DIRTYPE), entry("data/a.txt", size=3), entry("other.txt")
    path = tar_of(tmp_path / "a.tgz", *infos)
    assert list(members(path, lambda name: name.startswith("data"))) == [("data/a.txt", b"xxx")]
