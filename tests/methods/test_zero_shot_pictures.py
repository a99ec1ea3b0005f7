"""Pictures told apart by their labels' names, on a tiny random CLIP and SigLIP."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests import tiny_towers

import supertune
from supertune.config import Recipe
from supertune.contracts import HeadSpec, Problem
from supertune.errors import InputError
from supertune.methods.label_names import METHOD, Names
from supertune.pipeline import Workshop

TEMPLATES = ("a photo of a {label}.", "a drawing of {label}", "{label}, in bad light")


@pytest.fixture(scope="module", params=["clip", "siglip"])
def problem(request, own_activations, tmp_path_factory) -> Problem:
    folder = tmp_path_factory.mktemp("towers") / f"tiny-random-{request.param}"
    lens = Workshop(Recipe(threads=1)).lens(str(getattr(tiny_towers, request.param)(folder)))
    assert lens is not None
    return Problem(tiny_towers.coloured(3), HeadSpec(3), lens, seed=0)


def fitted(problem: Problem, **options) -> Names:
    return METHOD.fit(problem, METHOD.options(**options))


def refusal(problem: Problem, **options) -> InputError:
    with pytest.raises(InputError) as caught:
        fitted(problem, **options)
    return caught.value


def test_it_answers_with_the_logits_of_transformers(problem):
    import torch
    from transformers import AutoModel, AutoTokenizer

    backbone, inputs = problem.lens.backbone, problem.examples.inputs
    folder = backbone.ref.folder
    pixels = backbone.reader.batch(
        [pieces[0] for pieces in backbone.tokens(inputs, problem.lens.encoding)], len(inputs), 0
    ).inputs["pixel_values"]
    texts = [f"a photo of a {one}." for one in ("blue sky", "green grass", "red")]
    clip = backbone.model.config.model_type == "clip"
    how = {"padding": True} if clip else {"padding": "max_length", "max_length": 48}
    tokens = AutoTokenizer.from_pretrained(folder)(texts, return_tensors="pt", **how)
    given = {"input_ids": tokens["input_ids"]}
    given |= {"attention_mask": tokens["attention_mask"]} if clip else {}
    with torch.no_grad():
        theirs = AutoModel.from_pretrained(folder)(pixel_values=pixels, **given)
    np.testing.assert_allclose(
        fitted(problem).logits(inputs, problem.lens), theirs.logits_per_image.numpy(), atol=1e-5
    )


def test_of_several_templates_it_takes_the_direction_of_the_mean(problem):
    alone = [fitted(problem, phrase=template).vectors for template in TEMPLATES]
    mean = np.mean(alone, axis=0)
    wanted = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    np.testing.assert_allclose(fitted(problem, phrase=TEMPLATES).vectors, wanted, atol=1e-6)
    assert np.abs(alone[0] - alone[1]).max() > 1e-3


def test_a_bare_name_is_put_into_the_backbone_s_own_words(problem):
    own = fitted(problem, phrase="a photo of a {label}.").vectors
    np.testing.assert_array_equal(fitted(problem).vectors, own)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"phrase": "a photo"}, "phrase_hides_label"),
        ({"phrase": ("a photo of a {label}.", "a drawing")}, "phrase_hides_label"),
        ({"phrase": ()}, "phrases_missing"),
        ({"temperature": 3.0}, "temperature_pretrained"),
    ],
)
def test_what_cannot_be_compared_is_refused(problem, options, code):
    assert refusal(problem, **options).code == code


def test_numbers_are_no_names_unless_somebody_says_of_what(problem):
    numbers = replace(problem, examples=replace(problem.examples, labels=("0", "1", "2")))
    error = refusal(numbers)
    assert error.code == "names_say_nothing"
    assert "0, 1, 2" in error.received
    assert len(fitted(numbers, phrase="a photo of the number {label}.").vectors) == 3


def test_a_head_on_pictures_with_numbers_for_labels_has_one_baseline_less(problem, tmp_path):
    given = []
    for number, (one, target) in enumerate(zip(problem.examples.inputs, problem.examples.targets)):
        path = tmp_path / f"{number}.png"
        path.write_bytes(one.read())
        given.append((str(path), str(target)))
    options = {"method": "linear_probe", "folds": 2, "repeats": 1, "threads": 1}
    options["backbone"] = str(problem.lens.backbone.ref.folder)
    named = dict(zip("012", ("blue", "green", "red")))
    with_names = supertune.fit([(path, named[label]) for path, label in given], **options)
    without = supertune.fit(given, **options)
    assert set(with_names.report.data["baselines"]) == {
        *without.report.data["baselines"],
        "label_names",
    }
