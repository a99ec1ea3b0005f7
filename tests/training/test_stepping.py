"""An engine that takes the steps by itself: what it is asked, in what order, and what is refused.

The engine is a real one, in NumPy: a vector of a text is how often each letter is in it, and what
is tuned multiplies it, number by number.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from supertune import registry
from supertune.config import Recipe
from supertune.contracts import Encoding, HeadSpec, Injection, Offer, Problem, Stepping, misfit
from supertune.errors import InputError, SupertuneError
from supertune.limits import Splitting
from supertune.pipeline import read
from supertune.training import fitting
from supertune.training.cache import ActivationCache
from supertune.training.lens import CachedLens
from supertune.training.verify import verified

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SAID = [("aab", "x"), ("abba", "x"), ("aba", "x"), ("zzy", "y"), ("yzzz", "y"), ("zyzy", "y")]
TEXTS = tuple(text for text, _ in SAID)
NAME = "encoder.0.scale"


class Letters:
    """See `supertune.contracts.Backbone` and `Stepping`."""

    precision = "fp32"
    sha256 = "0" * 64
    offer = Offer(
        capabilities=frozenset({"features", "blocks", "linears"}),
        family="encoder",
        architecture="Letters",
        width=len(LETTERS),
        depth=1,
        parameters=0,
        max_length=64,
        pooling="mean",
        tunes=frozenset({"unfreeze", "answer", "classify", "regress"}),
    )

    def __init__(self) -> None:
        self.ref = SimpleNamespace(name="letters", engine="letters")
        self.splitting = Splitting()
        self.scale = np.ones(len(LETTERS), np.float32)
        self.rates: list[float] = []
        self.shown: list[list[float]] = []

    def tokens(self, inputs: Any, encoding: Encoding) -> list[Any]:
        return [(text,) for text in inputs]

    def tensors(self, pieces: Any, rows: int, width: int) -> Any:
        return np.array([[p.count(one) / len(p) for one in LETTERS] for p in pieces], np.float32)

    def features(self, tokens: Any, encoding: Encoding, *, exact: bool = True) -> Any:
        return self.tensors([piece for (piece,) in tokens], len(tokens), 0) * self.scale

    def inject(self, injection: Injection, *, seed: int, numbers: Any = None) -> Any:
        return Scale(self, numbers)

    def steps(self, tunable: Any, head: HeadSpec, start: Any, encoding: Any, pace: Any) -> Any:
        return ScaleSteps(self, head, start, pace)


class Scale:
    """See `supertune.contracts.Tunable`."""

    cut, from_input, room, joins = 0, False, 0, None

    def __init__(self, backbone: Letters, numbers: Any) -> None:
        self.backbone = backbone
        self.kept = dict(numbers or {NAME: backbone.scale.copy()})
        self.tuned_parameters = len(LETTERS)

    def __enter__(self) -> Scale:
        self.own, self.backbone.scale = self.backbone.scale, self.kept[NAME].copy()
        return self

    def __exit__(self, *exc: object) -> None:
        self.kept, self.backbone.scale = self.state(), self.own

    def state(self) -> Any:
        return {NAME: self.backbone.scale.copy()}

    named = state

    def training(self, on: bool, dropout: float = 0.0) -> None: ...

    def config(self) -> None: ...

    def run(self, batch: Any, hidden: Any, encoding: Any, *, words: bool = False) -> Any:
        return batch * self.backbone.scale


class ScaleSteps:
    """See `supertune.contracts.Steps`: plain gradient descent."""

    def __init__(self, backbone: Letters, head: HeadSpec, start: Any, pace: Any) -> None:
        self.backbone, self.head, self.pace = backbone, head, pace
        self.weight, self.bias = (np.array(one) for one in start)

    def _answer(self, rows: Any) -> tuple[Any, Any, float]:
        vectors = rows.batch * self.backbone.scale
        logits = vectors @ self.weight + self.bias
        if self.head.valued:
            gap = logits[:, 0] - rows.targets
            return vectors, 2 * gap[:, None], float((gap**2 * rows.weights).sum())
        logits = logits - logits.max(1, keepdims=True)
        shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        wanted = np.eye(len(self.bias))[rows.targets]
        loss = -(np.log(shares) * wanted).sum(1)
        return vectors, shares - wanted, float((loss * rows.weights).sum())

    def loss(self, rows: Any) -> float:
        return self._answer(rows)[2]

    def take(self, rows: Any, factor: float) -> tuple[float, float]:
        self.backbone.rates.append(factor)
        self.backbone.shown.append(sorted(rows.batch[:, 0].tolist()))
        vectors, gap, loss = self._answer(rows)
        gap = gap * rows.weights[:, None]
        of_scale = ((gap @ self.weight.T) * rows.batch).sum(0)
        self.backbone.scale -= (factor * self.pace.rates[NAME] * of_scale).astype(np.float32)
        rate = factor * self.pace.head_rate
        self.weight -= (rate * vectors.T @ gap).astype(np.float32)
        self.bias -= (rate * gap.sum(0)).astype(np.float32)
        return loss, float(np.linalg.norm(of_scale))

    def numbers(self) -> Any:
        head = {"head.weight": self.weight.copy(), "head.bias": self.bias.copy()}
        return {NAME: self.backbone.scale.copy(), **head}

    def put(self, numbers: Any) -> None:
        self.backbone.scale = numbers[NAME].copy()
        self.weight, self.bias = numbers["head.weight"].copy(), numbers["head.bias"].copy()


def problem(values: bool = False, seed: int = 0) -> Problem:
    lens = CachedLens(Letters(), Encoding(), ActivationCache(None))  # type: ignore[arg-type]
    task = "regression" if values else "text_classification"
    rows = [(text, len(text) + text.count("z")) for text in TEXTS] if values else SAID
    examples = read(rows, Recipe(task=task)).train
    head = HeadSpec(1, False, True) if values else HeadSpec(2)
    return Problem(examples, head, lens, seed=seed)


def fit(given: Problem, **keys: Any) -> Any:
    method = registry.method("top_blocks")
    options = method.options(**{"epochs": 4, "batch_size": 4, "learning_rate": 0.3, **keys})
    tuned = fitting.fit(method, given, options)
    return method, options, tuned


def backbone(given: Problem) -> Any:
    assert given.lens is not None
    return given.lens.backbone


def test_it_is_trained_through_the_contract_and_left_as_it_was() -> None:
    given = problem()
    assert isinstance(backbone(given), Stepping)
    assert misfit(registry.method("top_blocks"), "classify", backbone(given).offer) is None
    method, options, tuned = fit(given)
    assert len(tuned.losses) == 8
    assert np.mean(tuned.losses[-2:]) < np.mean(tuned.losses[:2])
    assert np.array_equal(backbone(given).scale, np.ones(len(LETTERS)))
    assert not np.array_equal(tuned.tunable.kept[NAME], np.ones(len(LETTERS)))
    assert verified(method, given, options, tuned) == ()
    again = fitting.restore(method, tuned.state(), options, given.head, given.lens)
    assert np.array_equal(again.logits(TEXTS, given.lens), tuned.logits(TEXTS, given.lens))
    np.testing.assert_allclose(
        tuned.held_out(TEXTS, given.lens), tuned.logits(TEXTS, given.lens), atol=1e-6
    )


def test_rates_rise_and_fall_and_an_epoch_shows_every_row_once() -> None:
    given = problem()
    fit(given, epochs=2)
    assert backbone(given).rates == [1.0, 1.0, 2 / 3, 1 / 3][: len(backbone(given).rates)]
    first, second = backbone(given).shown[:2]
    every = backbone(given).tensors(TEXTS, 6, 0)[:, 0].tolist()
    assert sorted(first + second) == sorted(every)


def test_several_seeds_are_averaged_and_interpolation_goes_part_of_the_way() -> None:
    ends = [fit(problem(seed=seed))[2].readout.weight for seed in (0, 1)]
    both = fit(problem(), seeds=2)[2]
    assert len(both.losses) == 16
    np.testing.assert_allclose(both.readout.weight, np.mean(ends, axis=0), atol=1e-5)
    half = fit(problem(), interpolation=0.5)[2]
    start = fit(problem(), learning_rate=1e-6)[2].readout.weight
    np.testing.assert_allclose(half.readout.weight, (ends[0] + start) / 2, atol=1e-4)


def test_values_are_answered_in_their_own_units() -> None:
    given = problem(values=True)
    _, _, tuned = fit(given, learning_rate=0.05)
    assert np.abs(tuned.logits(TEXTS, given.lens)[:, 0].mean() - 5.2) < 0.7


@pytest.mark.parametrize("keys", [{"dropout": 0.1}, {"views": 2}, {"cached_augmentations": 1}])
def test_keys_that_would_be_ignored_are_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        fit(problem(), **keys)
    assert caught.value.code == "key_not_carried_out"


def test_a_step_that_changes_nothing_is_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ScaleSteps, "take", lambda self, rows, factor: (1.0, 0.0))
    with pytest.raises(SupertuneError) as caught:
        fit(problem())
    assert caught.value.code == "nothing_tuned"
    monkeypatch.setattr(ScaleSteps, "take", lambda self, rows, factor: (float("nan"), 0.0))
    with pytest.raises(SupertuneError) as caught:
        fit(problem())
    assert caught.value.code == "loss_not_finite"


def test_several_processes_cannot_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError) as caught:
        fit(problem())
    assert caught.value.code == "training_not_shared"
