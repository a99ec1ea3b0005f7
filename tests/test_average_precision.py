"""Average precision by weights: what COCO's own counting gives, picture by picture drawn again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from supertune import average_precision
from supertune.contracts import FloatArray

CLASSES = 3


def drawn(seed: int, pictures: int = 12, most: int = 20) -> tuple[FloatArray, FloatArray]:
    """Answers (n, K, 6) that find about half of the truths (n, M, 5), more or less well."""
    rng = np.random.default_rng(seed)
    truths = np.full((pictures, 8, 5), -1.0)
    answers = np.full((pictures, most, 6), -1.0)
    for row in range(pictures):
        count = rng.integers(0, 9)
        corner, wide = rng.uniform(0, 80, (count, 2)), rng.uniform(5, 30, (count, 2))
        names = rng.integers(0, CLASSES, count)
        truths[row, :count] = np.column_stack([corner, corner + wide, names])
        for place in range(rng.integers(0, most + 1)):
            if count and rng.random() < 0.6:
                near = truths[row, rng.integers(count)]
                sides = near[:4] + rng.normal(0, 2, 4).clip(-2.4, 2.4)
                box = [*sides, rng.random(), near[4]]
            else:
                at, wide = rng.uniform(0, 80, 2), rng.uniform(5, 30, 2)
                box = [*at, *(at + wide), rng.random(), rng.integers(0, CLASSES)]
            answers[row, place] = box
    return answers, truths


def by_coco(answers: FloatArray, truths: FloatArray) -> dict[str, float]:
    """What faster-coco-eval says, with as many boxes a picture as there are."""
    coco = pytest.importorskip("faster_coco_eval")
    pictures: list[dict[str, Any]] = [
        {"id": i, "width": 200, "height": 200} for i in range(len(truths))
    ]
    names = [{"id": i, "name": str(i)} for i in range(CLASSES)]

    def listed(rows: FloatArray, scored: bool) -> list[dict[str, Any]]:
        found = []
        for picture, boxes in enumerate(rows):
            for box in boxes[boxes[:, -1] >= 0]:
                x0, y0, x1, y1 = box[:4].tolist()
                one = {"image_id": picture, "category_id": int(box[-1]), "iscrowd": 0}
                one |= {"bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0)}
                found.append({**one, "id": len(found) + 1, **({"score": box[4]} if scored else {})})
        return found

    dataset = {"images": pictures, "categories": names, "annotations": listed(truths, False)}
    known = coco.COCO(dataset)
    judge = coco.COCOeval_faster(known, known.loadRes(listed(answers, True)), "bbox")
    judge.params.maxDets = [1, 10, answers.shape[1]]
    judge.evaluate()
    judge.accumulate()
    precision, recall = judge.eval["precision"][..., 0, -1], judge.eval["recall"][..., 0, -1]

    def mean(values: FloatArray) -> float:
        return float(values[values > -1].mean())

    return {
        "map": mean(precision),
        "map50": mean(precision[0]),
        "map75": mean(precision[5]),
        "ar": mean(recall),
    }


@pytest.mark.parametrize("seed", range(6))
def test_scores_are_those_of_faster_coco_eval(seed: int) -> None:
    answers, truths = drawn(seed)
    own = average_precision.scores(answers, truths)
    for name, value in by_coco(answers, truths).items():
        assert own[name][0] == pytest.approx(value, abs=1e-6), name


def test_a_weighting_scores_as_the_pictures_written_out_so_often() -> None:
    answers, truths = drawn(7)
    weights = np.random.default_rng(0).multinomial(12, np.ones(12) / 12, 20).astype(float)
    together = average_precision.scores(answers, truths, weights)
    for row, times in enumerate(weights.astype(int)):
        chosen = np.repeat(np.arange(12), times)
        alone = average_precision.scores(answers[chosen], truths[chosen])
        for name, value in alone.items():
            assert together[name][row] == pytest.approx(value[0], abs=1e-9)


def test_perfect_answers_score_one_and_none_score_nothing() -> None:
    _, truths = drawn(1)
    sure = np.ones((*truths.shape[:2], 1))
    perfect = np.concatenate([truths[..., :4], sure, truths[..., 4:]], axis=2)
    perfect[truths[..., 4] < 0] = -1.0
    assert {k: v[0] for k, v in average_precision.scores(perfect, truths).items()} == pytest.approx(
        {"map": 1.0, "map50": 1.0, "map75": 1.0, "ar": 1.0}
    )
    nothing = np.full((len(truths), 1, 6), -1.0)
    assert not any(v[0] for v in average_precision.scores(nothing, truths).values())


def test_a_second_box_on_one_thing_is_a_false_alarm() -> None:
    truth = np.array([[[0.0, 0, 10, 10, 0]]])
    once = np.array([[[0.0, 0, 10, 10, 0.9, 0]]])
    surer = np.array([[[0.0, 0, 10, 9, 0.95, 0], [0.0, 0, 10, 10, 0.9, 0]]])
    assert average_precision.scores(once, truth)["map50"][0] == 1.0
    first = average_precision.matched(surer, truth)[0]
    assert first.hits[0].tolist() == [True, False]
    assert first.taken.tolist() == [0, -1]


def test_a_picture_that_counts_nothing_changes_nothing() -> None:
    answers, truths = drawn(3)
    weights = np.ones((1, 12))
    weights[0, 5] = 0.0
    left = np.delete(np.arange(12), 5)
    with_zero = average_precision.scores(answers, truths, weights)
    without = average_precision.scores(answers[left], truths[left])
    for name, value in without.items():
        assert with_zero[name][0] == pytest.approx(value[0], abs=1e-12)
