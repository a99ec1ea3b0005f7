"""A package's file arrives whole and verified, through whatever the network does to it."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.catalogue.conftest import Server

from supertune.catalogue import packages
from supertune.catalogue.entry import Package
from supertune.catalogue.packages import archive
from supertune.errors import EnvironmentFault

Published = tuple[Package, bytes]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "PAUSES", (0.0, 0.0, 0.0))


@pytest.mark.parametrize("as_json", [True, False], ids=["json index", "html index"])
def test_a_file_is_found_on_the_index_fetched_and_kept(
    index: Server, cache: Path, package: Published, as_json: bool
) -> None:
    wanted, body = package
    place = index.publish(wanted, body, as_json=as_json)
    told: list[tuple[str, int, int | None]] = []
    path = archive(wanted, lambda *step: told.append(step))
    assert path == cache / "packages" / wanted.file
    assert path.read_bytes() == body
    assert told[-1] == ("fetch tiny-words", len(body), len(body))
    assert archive(wanted) == path
    assert index.times(place) == 1, "what is there is not fetched again"
    assert {each.name for each in path.parent.iterdir()} <= {wanted.file, f"{wanted.file}.lock"}


def test_an_npm_file_has_its_place_on_the_registry(
    index: Server, cache: Path, package: Published
) -> None:
    given, body = package
    wanted = dataclasses.replace(given, registry="npm", name="@owner/words", file="words-1.0.tgz")
    index.put("/@owner/words/-/words-1.0.tgz", body)
    assert archive(wanted).read_bytes() == body


def test_a_second_index_is_asked_for_what_the_first_lacks(
    index: Server, cache: Path, package: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, body = package
    index.publish(wanted, body)
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.address}/other")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"{index.address}/simple")
    assert archive(wanted).read_bytes() == body


def test_a_file_that_is_not_the_pinned_one_is_thrown_away(
    index: Server, cache: Path, package: Published
) -> None:
    wanted, body = package
    index.publish(wanted, body[:-1] + b"!")
    with pytest.raises(EnvironmentFault) as caught:
        archive(wanted)
    assert caught.value.code == "package_changed"
    assert caught.value.allowed == f"sha256 {wanted.sha256}"
    assert not list(cache.rglob("*.whl*[!k]")), "neither the file nor a part of it is left"


@pytest.mark.parametrize("as_json", [True, False], ids=["json index", "html index"])
def test_a_cut_download_goes_on_where_it_stopped(
    index: Server, cache: Path, package: Published, as_json: bool
) -> None:
    wanted, body = package
    place = index.publish(wanted, body, as_json=as_json)
    index.cuts[place] = [300_000, 400_000]
    assert archive(wanted).read_bytes() == body
    ranges = [asked for method, path, asked in index.asked if path == place]
    assert ranges == [None, "bytes=300000-", "bytes=700000-"]


def test_another_run_goes_on_where_one_was_killed(
    index: Server, cache: Path, package: Published
) -> None:
    wanted, body = package
    place = index.publish(wanted, body)
    (cache / "packages").mkdir(parents=True)
    (cache / "packages" / f"{wanted.file}.part").write_bytes(body[:500_000])
    assert archive(wanted).read_bytes() == body
    assert [asked for _, path, asked in index.asked if path == place] == ["bytes=500000-"]


@pytest.mark.parametrize("length", [500_000, 2_000_000], ids=["shorter", "longer"])
def test_a_part_of_something_else_is_fetched_anew(
    index: Server, cache: Path, package: Published, length: int
) -> None:
    wanted, body = package
    index.publish(wanted, body)
    (cache / "packages").mkdir(parents=True)
    (cache / "packages" / f"{wanted.file}.part").write_bytes(b"?" * length)
    assert archive(wanted).read_bytes() == body


def test_a_server_that_cannot_resume_sends_all_of_it_again(
    index: Server, cache: Path, package: Published
) -> None:
    wanted, body = package
    place = index.publish(wanted, body)
    index.ranges, index.cuts[place] = False, [300_000]
    assert archive(wanted).read_bytes() == body


def test_a_connection_that_is_always_cut_ends_with_the_reason_and_keeps_the_part(
    index: Server, cache: Path, package: Published
) -> None:
    wanted, body = package
    place = index.publish(wanted, body)
    index.cuts[place] = [1000, 0, 0, 0, 0, 0, 0]
    with pytest.raises(EnvironmentFault) as caught:
        archive(wanted)
    assert caught.value.code == "no_network"
    assert (cache / "packages" / f"{wanted.file}.part").read_bytes() == body[:1000]


def test_a_server_that_is_busy_is_asked_again(
    index: Server, cache: Path, package: Published
) -> None:
    wanted, body = package
    place = index.publish(wanted, body)
    index.statuses[place] = [503, 429, 500]
    assert archive(wanted).read_bytes() == body


def test_a_file_that_is_gone_is_not_asked_for_again(
    index: Server, cache: Path, package: Published
) -> None:
    wanted, body = package
    place = index.publish(wanted, body)
    del index.files[place]
    with pytest.raises(EnvironmentFault, match="404") as caught:
        archive(wanted)
    assert caught.value.exit_code == 2
    assert index.times(place) == 1


@pytest.mark.parametrize("listed", [False, True], ids=["no page", "page without the file"])
def test_an_index_without_the_file_says_how_to_do_without(
    index: Server, cache: Path, package: Published, listed: bool
) -> None:
    wanted, body = package
    if listed:
        index.publish(dataclasses.replace(wanted, file="other.whl"), body)
    with pytest.raises(EnvironmentFault) as caught:
        archive(wanted)
    assert caught.value.code == "no_network"
    assert wanted.file in str(caught.value.allowed)
    assert "copy that file there" in str(caught.value.next)


def test_a_copied_file_is_used_without_any_network(
    index: Server, cache: Path, package: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, body = package
    monkeypatch.setenv("SUPERTUNE_OFFLINE", "1")
    with pytest.raises(EnvironmentFault, match="SUPERTUNE_OFFLINE"):
        archive(wanted)
    (cache / "packages" / wanted.file).write_bytes(body)
    assert archive(wanted).read_bytes() == body
    assert index.asked == []


def test_a_machine_without_npm_is_told_so(
    cache: Path, package: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NPM_CONFIG_REGISTRY", raising=False)
    monkeypatch.delenv("SUPERTUNE_OFFLINE", raising=False)
    monkeypatch.setenv("PATH", str(cache))
    with pytest.raises(EnvironmentFault, match="npm is not installed") as caught:
        archive(dataclasses.replace(package[0], registry="npm"))
    assert "copy that file" in str(caught.value.next)


@pytest.mark.parametrize("link", ["file:///etc/hostname", "ftp://127.0.0.1/a.whl"])
def test_a_link_that_is_not_of_the_web_is_not_followed(
    index: Server, cache: Path, package: Published, link: str
) -> None:
    wanted, body = package
    index.publish(wanted, body)
    page = json.dumps({"files": [{"filename": wanted.file, "url": link}]})
    index.put(f"/simple/{wanted.name}/", page, "application/vnd.pypi.simple.v1+json")
    with pytest.raises(EnvironmentFault, match="not an address on a network"):
        archive(wanted)


def test_a_password_goes_to_the_index_alone_and_into_no_message(
    index: Server, cache: Path, package: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, body = package
    place = index.publish(wanted, body)
    monkeypatch.setenv("PIP_INDEX_URL", index.address.replace("://", "://me:secret@") + "/simple")
    assert archive(wanted).read_bytes() == body
    coded = "Basic bWU6c2VjcmV0"
    assert index.logins == [(f"/simple/{wanted.name}/", coded), (place, coded)]
    (cache / "packages" / wanted.file).unlink()
    elsewhere = index.address.replace("127.0.0.1", "localhost") + "/gone.whl"
    page = json.dumps({"files": [{"filename": wanted.file, "url": elsewhere}]})
    index.put(f"/simple/{wanted.name}/", page, "application/vnd.pypi.simple.v1+json")
    with pytest.raises(EnvironmentFault) as caught:
        archive(wanted)
    assert index.logins[-1] == ("/gone.whl", None)
    assert "secret" not in str(caught.value)


def test_a_full_or_locked_disk_is_not_called_a_network_fault(
    index: Server, cache: Path, package: Published
) -> None:
    wanted, body = package
    index.publish(wanted, body)
    cache.write_text("a file where the folder should be")
    with pytest.raises(EnvironmentFault) as caught:
        archive(wanted)
    assert caught.value.code == "cache_unwritable"


def test_two_processes_at_once_fetch_once(index: Server, cache: Path, package: Published) -> None:
    wanted, body = package
    place = index.publish(wanted, body)
    index.pause = 0.1  # four pieces or more
    code = (
        "import json, sys; from supertune.catalogue.entry import Package; "
        "from supertune.catalogue.packages import archive, sha256_of; "
        "print(sha256_of(archive(Package(**json.loads(sys.argv[1])))))"
    )
    command = [sys.executable, "-c", code, json.dumps(dataclasses.asdict(wanted))]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    answers = [process.communicate(timeout=60)[0].strip() for process in running]
    assert answers == [wanted.sha256] * 3
    assert index.times(place) == 1


def test_a_fetch_that_is_killed_leaves_no_lock_behind(
    index: Server, cache: Path, package: Published
) -> None:
    wanted, body = package
    place = index.publish(wanted, body)
    index.pause = 0.3
    code = (
        "import json, sys; from supertune.catalogue.entry import Package; "
        "from supertune.catalogue.packages import archive; "
        "archive(Package(**json.loads(sys.argv[1])))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, json.dumps(dataclasses.asdict(wanted))]
    ) as process:
        partial = cache / "packages" / f"{wanted.file}.part"
        until = time.monotonic() + 20
        while not (partial.exists() and partial.stat().st_size) and time.monotonic() < until:
            time.sleep(0.02)
        process.kill()
    assert 0 < partial.stat().st_size < len(body)
    index.pause = 0.0
    assert archive(wanted).read_bytes() == body
    last = [asked for _, path, asked in index.asked if path == place][-1]
    assert last is not None, "it went on where the killed one stopped"
