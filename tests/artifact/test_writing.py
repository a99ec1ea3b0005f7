"""What may be written where, and that a failure leaves everything as it was."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from supertune.artifact import check_output, read, save
from supertune.errors import EnvironmentFault, InputError, SupertuneError

Maker = Callable[..., Path]


def everything(folder: Path) -> dict[str, bytes | None]:
    """All paths below a folder and what the files hold."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def refusal(folder: Path, overwrite: bool = False, needed: int = 0) -> SupertuneError:
    """What `check_output` and `save` both say; neither may leave anything behind."""
    around = folder.parent if folder.parent.is_dir() else folder.parent.parent
    before = everything(around)
    with pytest.raises(SupertuneError) as early:
        check_output(folder, overwrite, needed)
    if not needed:
        with pytest.raises(SupertuneError) as late:
            save(folder, {}, {}, overwrite=overwrite)
        assert late.value.code == early.value.code
    assert everything(around) == before
    assert early.value.exit_code == 2
    assert early.value.received
    assert early.value.next
    return early.value


def test_saving_leaves_nothing_but_the_folder(make: Maker, tmp_path: Path) -> None:
    make(version=1)
    make(version=2, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert read(tmp_path / "model").manifest["version"] == 2


def test_the_same_model_gives_the_same_bytes(make: Maker) -> None:
    assert everything(make("one")) == everything(make("two"))


def test_others_may_read_a_model_as_far_as_the_umask_says(make: Maker) -> None:
    mask = os.umask(0)
    os.umask(mask)
    folder = make()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o777 & ~mask
    assert stat.S_IMODE((folder / "README.md").stat().st_mode) == 0o666 & ~mask


def test_an_empty_folder_is_filled_without_overwrite(make: Maker, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    assert read(make(version=4)).manifest["version"] == 4


def test_an_existing_model_is_replaced_only_on_request(make: Maker) -> None:
    folder = make(version=1)
    error = refusal(folder)
    assert error.code == "output_exists"
    assert "--overwrite" in str(error)
    assert read(folder).manifest["version"] == 1


def test_a_damaged_model_can_be_overwritten(make: Maker) -> None:
    folder = make(version=1)
    (folder / "README.md").write_bytes(b"")
    (folder / "report.json").unlink()
    assert read(make(version=2, overwrite=True)).manifest["version"] == 2


@pytest.mark.parametrize("name", ["thesis.txt", "supertune.json", "sub/deep.txt"])
def test_a_folder_of_somebody_elses_files_is_never_replaced(tmp_path: Path, name: str) -> None:
    path = tmp_path / "folder" / name
    path.parent.mkdir(parents=True)
    path.write_text("{}", "utf-8")
    assert refusal(tmp_path / "folder").code == "output_exists"
    error = refusal(tmp_path / "folder", overwrite=True)
    assert error.code == "output_not_a_model"


def test_files_put_beside_a_model_are_not_deleted_with_it(make: Maker) -> None:
    folder = make()
    (folder / "adapter" / "notes.txt").write_text("mine", "utf-8")
    error = refusal(folder, overwrite=True)
    assert error.code == "output_holds_other_files"
    assert error.received == "adapter/notes.txt"


def test_what_a_file_browser_leaves_is_nobodys_loss(make: Maker) -> None:
    (make(version=1) / ".DS_Store").write_bytes(b"\0")
    assert read(make(version=2, overwrite=True)).manifest["version"] == 2


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_in_the_place_of_the_folder_is_kept(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "model").write_text("mine", "utf-8")
    assert refusal(tmp_path / "model", overwrite).code == "output_is_file"


def test_a_missing_parent_says_how_to_make_it(tmp_path: Path) -> None:
    error = refusal(tmp_path / "a" / "model")
    assert error.code == "output_parent_missing"
    assert error.next == f'mkdir "{tmp_path / "a"}"'


def test_a_file_as_parent_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine", "utf-8")
    assert refusal(tmp_path / "a" / "model").code == "output_parent_missing"


@pytest.mark.parametrize("place", [".", "..", "/"])
def test_the_current_folder_and_those_above_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(InputError) as caught:
        check_output(Path(place), overwrite=True)
    assert caught.value.code == "output_is_current_folder"


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / ("m" * 300)).code == "output_unwritable"


def test_a_name_with_a_nul_byte_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        check_output(tmp_path / "m\0", overwrite=False)
    assert caught.value.code == "bad_folder_name"


def test_more_than_the_disk_holds_is_refused_before_training(tmp_path: Path) -> None:
    error = refusal(tmp_path / "model", needed=2**62)
    assert isinstance(error, EnvironmentFault)
    assert error.code == "no_space"


def test_a_link_to_a_model_is_written_through(make: Maker, tmp_path: Path) -> None:
    folder = make(version=1)
    (tmp_path / "latest").symlink_to(folder)
    make("latest", version=2, overwrite=True)
    assert (tmp_path / "latest").is_symlink()
    assert read(folder).manifest["version"] == 2


UNPRIVILEGED = """
import os, resource, sys
from pathlib import Path
import supertune.artifact as artifact, filelock, tempfile  # loaded before rights are given up
from supertune.errors import SupertuneError
folder, limit = Path(sys.argv[1]), int(sys.argv[2])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
elif os.getuid() == 0:
    os.setuid(65534)
try:
    if not limit:
        artifact.check_output(folder, True)
    artifact.save(folder, {}, {"big.txt": b"x" * 100_000}, overwrite=True)
except SupertuneError as error:
    print(error.code, error.exit_code)
"""


def in_a_process(folder: Path, limit: int) -> str:
    command = [sys.executable, "-W", "error", "-c", UNPRIVILEGED, str(folder), str(limit)]
    source = Path(__file__).resolve().parents[2] / "src"
    environment = {**os.environ, "PYTHONPATH": str(source)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.mark.parametrize("limit", [4_096, 65_536])
def test_a_write_that_fails_midway_keeps_the_old_model(make: Maker, limit: int) -> None:
    folder = make(version=1)
    before = everything(folder.parent)
    assert in_a_process(folder, limit) == "no_space 2"
    assert everything(folder.parent) == before
    assert read(folder).manifest["version"] == 1


def test_a_write_that_fails_midway_leaves_no_new_folder(tmp_path: Path) -> None:
    assert in_a_process(tmp_path / "model", 4_096) == "no_space 2"
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_parent_keeps_the_old_model(make: Maker) -> None:
    folder = make(version=1)
    # pytest's own folders are closed to other users; the person of the test must reach this one.
    for parent in folder.parents:
        if parent.stat().st_uid == os.getuid() and not parent.stat().st_mode & stat.S_IXOTH:
            parent.chmod(0o755)
    folder.parent.chmod(0o555)
    try:
        assert in_a_process(folder, 0) == "output_read_only 2"
    finally:
        folder.parent.chmod(0o755)
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
    assert read(folder).manifest["version"] == 1
