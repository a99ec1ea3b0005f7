"""Values trained by gradients: in units of their own, from the ridge solution on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import supertune
from supertune import registry
from supertune.contracts import HeadSpec, Problem
from supertune.errors import InputError
from supertune.methods.linear_probe import LinearProbe, LinearProbeOptions
from supertune.training import loop
from supertune.training.units import Unit

LORA = registry.method("lora")


@pytest.fixture(scope="module")
def priced(news, lens) -> Problem:
    """News with a price each, which their topic decides up to some noise."""
    noise = np.random.default_rng(0).normal(0, 20, len(news))
    examples = replace(news, targets=5000 + 100.0 * news.targets + noise, labels=("price",))
    return Problem(examples, HeadSpec(1, valued=True), lens, seed=0)


def test_the_head_starts_at_the_ridge_solution_in_the_units_of_the_values(priced, lens):
    tuned = loop.train(LORA, priced, LORA.options(epochs=1, learning_rate=1e-12))
    probe = LinearProbe().fit(priced, LinearProbeOptions())
    found, expected = (one.logits(priced.examples.inputs, lens) for one in (tuned, probe))
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    # The loss is a share of the variance.
    off = (expected[:, 0] - priced.examples.targets) ** 2
    assert tuned.losses[0] == pytest.approx(off.mean() / priced.examples.targets.var(), rel=1e-3)


def test_training_brings_the_answers_nearer_to_the_rows(priced, lens):
    tuned = loop.train(LORA, priced, LORA.options(epochs=6))
    probe = LinearProbe().fit(priced, LinearProbeOptions())
    off = [
        np.abs(one.logits(priced.examples.inputs, lens)[:, 0] - priced.examples.targets).mean()
        for one in (tuned, probe)
    ]
    assert off[0] < off[1]
    assert tuned.losses[-1] < tuned.losses[0]


def test_the_unit_is_weighted_and_taken_back(priced):
    weights = np.where(np.arange(len(priced.examples)) < 2, 5.0, 0.5)
    weighed = replace(priced.examples, weights=weights)
    unit = Unit.of(weighed)
    targets = weighed.targets
    assert unit.mean == pytest.approx(np.average(targets, weights=weights))
    inside = unit.standardised(replace(priced, examples=weighed)).examples
    assert np.average(inside.targets, weights=weights) == pytest.approx(0, abs=1e-9)
    assert np.average(inside.targets**2, weights=weights) == pytest.approx(1)
    np.testing.assert_allclose(unit.restored(inside).targets, targets)


def test_what_only_labels_have_is_refused(priced):
    for keys, code in (
        ({"label_smoothing": 0.1}, "nothing_to_smooth"),
        ({"readout": "verbalizer"}, "verbalizer_impossible"),
        ({"search_template": True}, "nothing_to_search"),
    ):
        with pytest.raises(InputError) as caught:
            loop.train(LORA, priced, LORA.options(epochs=1, **keys))
        assert caught.value.code == code


def test_a_fit_of_values_has_intervals_and_a_loss_curve(news, tmp_path):
    rows = [(text, 10.0 * place) for text, place in zip(news.inputs, news.targets, strict=True)]
    options = {"folds": 2, "repeats": 1, "max_length": 24, "epochs": 2}
    model = supertune.fit(
        rows, task="regression", method="lora", backbone="minilm", output=tmp_path / "m", **options
    )
    found = model.predictions([rows[0][0]])
    assert found.low[0] < found.values[0] < found.high[0]
    assert model.report.data["notes"]["curves"][0]["name"] == "loss"
    again = supertune.load(tmp_path / "m")
    texts = [text for text, _ in rows]
    assert again.predict(texts).tolist() == model.predict(texts).tolist()
