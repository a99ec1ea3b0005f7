"""Pictures and labels become rows to learn from, rows to judge by, and what is to be known."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from tests.data.pictures.conftest import encoded, noise, picture, write

from supertune import registry
from supertune.contracts import Columns, Picture
from supertune.data.pictures import glimpses
from supertune.errors import InputError

TASK = registry.task("image_classification")


@pytest.fixture
def stamps(tmp_path: Path) -> Path:
    files = {f"cats/{i}.png": noise(i) for i in range(4)}
    files |= {f"dogs/{i}.png": noise(10 + i) for i in range(4)}
    return write(tmp_path / "stamps", files)


def read(source: object, **options: object):
    return TASK.read(source, Columns(), **options)


def codes(reading) -> dict[str, tuple[int, ...]]:
    return {finding.code: finding.rows for finding in reading.findings}


def test_a_folder_is_read_with_the_proof_of_it(stamps: Path) -> None:
    reading = read(stamps)
    assert reading.train.modality == "image"
    assert reading.train.labels == ("cats", "dogs")
    assert reading.train.targets.tolist() == [0] * 4 + [1] * 4
    assert reading.columns.picture == "image"
    assert reading.columns.label == "label"
    assert "picture: column 'image' (8 pictures)" in reading.guesses
    assert reading.samples[0] == {"picture": "cats/0.png", "label": "cats"}


def test_a_broken_picture_is_left_out_by_name_and_row(stamps: Path) -> None:
    whole = encoded(noise(20))
    write(stamps, {"cats/5.png": whole[: len(whole) // 2], "dogs/0.png": b"nothing"})
    reading = read(stamps)
    assert codes(reading)["broken_picture"] == (5, 6)
    (finding,) = (one for one in reading.findings if one.code == "broken_picture")
    assert "cats/5.png, dogs/0.png" in finding.message
    assert len(reading.train) == 7
    assert 5 not in reading.train.rows


def test_copies_count_once_and_near_copies_stay_together(stamps: Path) -> None:
    exact = (stamps / "cats" / "1.png").read_bytes()
    near = encoded(noise(12), "JPEG", quality=80)
    write(stamps, {"cats/1-again.png": exact, "dogs/2-again.jpg": near, "dogs/x.png": exact})
    reading = read(stamps)
    found = codes(reading)
    assert "duplicate_picture" in found
    names = [str(one) for one in reading.train.inputs]
    assert ("cats/1.png" in names) != ("cats/1-again.png" in names)
    at = {name: reading.train.groups[i] for i, name in enumerate(names)}
    assert at["dogs/2.png"] == at["dogs/2-again.jpg"] != at["dogs/1.png"]
    assert len(found["near_duplicate_picture"]) == 2
    assert len(found["contradicting_labels"]) == 2, "the same picture is a cat and a dog"


def test_no_picture_is_both_learned_and_judged(stamps: Path, tmp_path: Path) -> None:
    same = (stamps / "cats" / "0.png").read_bytes()
    held = write(tmp_path / "held", {"cats/0.png": noise(50), "dogs/0.png": noise(51)})
    write(held, {"cats/known.png": same, "dogs/near.jpg": encoded(noise(11), "JPEG", quality=85)})
    reading = read(stamps, test=held)
    assert reading.test is not None
    assert {str(one) for one in reading.test.inputs} == {
        "cats/0.png",
        "dogs/0.png",
        "dogs/near.jpg",
    }
    found = codes(reading)
    assert found["test_overlap"] == (2,)
    assert found["near_test_overlap"] == (4,)


def test_a_model_s_rows_may_come_from_anywhere(stamps: Path, tmp_path: Path) -> None:
    rows = [(str(path), path.parent.name) for path in sorted(stamps.glob("*/*.png"))]
    with (tmp_path / "rows.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("scan", "topic"), *rows])
    fitted = TASK.read(tmp_path / "rows.csv", Columns(label="topic"))
    assert (fitted.columns.picture, fitted.columns.label) == ("scan", "topic")
    for source in (stamps, rows, tmp_path / "rows.csv"):
        judged = TASK.read(source, fitted.columns, labels=("cats", "dogs"))
        assert judged.train.targets.tolist() == [0] * 4 + [1] * 4
        inputs = [one for _, part in TASK.stream(source, fitted.columns, 3) for one in part]
        assert inputs == list(judged.train.inputs)
    held = TASK.read(tmp_path / "rows.csv", Columns(label="topic"), test=write(
        tmp_path / "more", {"cats/a.png": noise(60), "dogs/b.png": noise(61)}))  # fmt: skip
    assert held.test is not None
    assert held.test.targets.tolist() == [0, 1]


def test_a_split_folder_is_judged_by_its_test_side(tmp_path: Path) -> None:
    files = {f"train/{c}/{i}.png": noise(i + 10 * (c == "b")) for c in "ab" for i in range(3)}
    files |= {f"test/{c}/9.png": noise(90 + (c == "b")) for c in "ab"}
    reading = read(write(tmp_path / "both", files))
    assert reading.columns.split == "split"
    assert (len(reading.train), len(reading.test)) == (6, 2)


def test_several_labels_a_picture_are_read_as_those_of_texts_are(stamps: Path) -> None:
    paths = sorted(stamps.glob("*/*.png"))
    rows = [(path, ["soft", "brown"] if i % 2 else ["soft"]) for i, path in enumerate(paths)]
    reading = read(rows)
    assert reading.train.multi_label
    assert reading.train.labels == ("brown", "soft")


def test_prediction_stops_at_a_broken_picture_and_names_its_row(stamps: Path) -> None:
    write(stamps, {"cats/2.png": b"\x89PNG\r\n\x1a\nnothing"})
    windows = TASK.stream(stamps, Columns(picture="image"), 2)
    assert len(next(windows)[1]) == 2, "those before it are answered"
    with pytest.raises(InputError, match=r"cats/2\.png") as refused:
        next(windows)
    assert refused.value.code == "picture_broken"
    assert refused.value.received.startswith("row 3: ")


def test_memory_does_not_grow_with_the_number_of_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is held after hundreds of pictures is what is held after dozens: no bytes, no pixels."""
    import tracemalloc

    monkeypatch.setattr(glimpses, "KEPT", 40)  # what is remembered has an end, and it is reached
    folder = tmp_path / "many"
    write(folder, {f"a/{i:03}.png": noise(i, 24) for i in range(300)})
    held: list[int] = []
    tracemalloc.start()
    for _, inputs in TASK.stream(folder, Columns(picture="image"), 20):
        for one in inputs:
            assert isinstance(one, Picture)
            assert one.data is None
        held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    growth = np.polyfit(np.arange(len(held))[4:], held[4:], 1)[0]
    assert growth < 20 * 200, f"{growth:.0f} bytes a window of 20 pictures"


def test_decoding_and_scores_are_those_of_texts() -> None:
    texts = registry.task("text_classification")
    logits = np.random.default_rng(0).normal(size=(6, 3))
    examples = read([(picture(noise(i)), "abc"[i % 3]) for i in range(9)]).train
    head = TASK.head(examples)
    ours, theirs = (one.decode(logits, ("a", "b", "c"), head) for one in (TASK, texts))
    assert ours.labels == theirs.labels
    np.testing.assert_array_equal(ours.scored, theirs.scored)
    assert TASK.metrics == texts.metrics
