"""Context optimisation on a tiny random CLIP and SigLIP.

That a fresh process answers the same bits is held by tests/contract/test_model_folders.
"""

from __future__ import annotations

import numpy as np
import pytest
from tests import tiny_towers

from supertune.config import Recipe
from supertune.contracts import HeadSpec, Problem
from supertune.errors import InputError
from supertune.methods import coop, label_names
from supertune.pipeline import Workshop
from supertune.training import fitting

FEW = {"tokens": 3, "epochs": 8, "learning_rate": 0.02}


def problem_of(folder) -> Problem:
    lens = Workshop(Recipe(threads=1)).lens(str(folder))
    assert lens is not None
    return Problem(tiny_towers.coloured(4), HeadSpec(3), lens, seed=0)


@pytest.fixture(scope="module")
def clip(own_activations, tmp_path_factory) -> Problem:
    return problem_of(tiny_towers.clip(tmp_path_factory.mktemp("towers") / "tiny-random-clip"))


@pytest.fixture(scope="module")
def siglip(own_activations, tmp_path_factory) -> Problem:
    return problem_of(tiny_towers.siglip(tmp_path_factory.mktemp("towers") / "tiny-random-siglip"))


def fitted(problem: Problem, **options):
    return fitting.fit(coop.METHOD, problem, coop.METHOD.options(**{**FEW, **options}))


def tunable_of(problem: Problem, **options):
    injection = coop.METHOD.injection(problem.lens.backbone.offer, coop.METHOD.options(**options))
    injection.settings["names"] = problem.examples.labels
    return problem.lens.backbone.inject(injection, seed=0)


@pytest.mark.parametrize("kind", ["clip", "siglip"])
@pytest.mark.parametrize("class_specific", [False, True])
def test_the_loss_falls_and_the_backbone_stays_as_it_was(request, kind, class_specific):
    problem = request.getfixturevalue(kind)
    backbone = problem.lens.backbone
    before = backbone.fingerprint()
    tuned = fitted(problem, class_specific=class_specific)
    # Of the random SigLIP all names lie close together.
    assert tuned.losses[-1] < (0.9 if kind == "clip" else 0.999) * tuned.losses[0]
    assert backbone.fingerprint() == before
    context = tuned.state().arrays["context"]
    assert context.shape == ((3, 3, 24) if class_specific else (3, 24))
    assert tuned.tuned_parameters == context.size


def test_the_context_alone_has_a_gradient(clip):
    import torch

    tunable = tunable_of(clip, tokens=3)
    with tunable:
        assert set(tunable.named()) == {"context"}
        (tunable.vectors() @ torch.arange(16.0)).sum().backward()
        assert tunable.named()["context"].grad.abs().min() > 0
        held = [name for name, p in clip.lens.backbone.model.named_parameters() if p.requires_grad]
        assert held == []
        assert all(p.grad is None for p in clip.lens.backbone.model.parameters())


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_begun_at_a_text_it_begins_as_zero_shot_by_that_text(request, kind):
    problem = request.getfixturevalue(kind)
    phrase = label_names.METHOD.options(phrase="a photo of a {label}.")
    wanted = label_names.METHOD.fit(problem, phrase).vectors
    with tunable_of(problem, init_text="a photo of a ") as tunable:
        found = tunable.vectors().detach().numpy()
    np.testing.assert_allclose(found, wanted, atol=2e-6)
    with tunable_of(problem, tokens=13) as noise:
        assert np.abs(noise.vectors().detach().numpy() - wanted).max() > 0.01


def test_each_label_has_its_own_name_behind_one_context(clip):
    tuned = fitted(clip, epochs=1)
    vectors = tuned.state().arrays["names.vectors"]
    assert vectors.shape == (3, tiny_towers.WIDTH)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    assert np.abs(vectors[:, None] - vectors[None]).max(-1)[np.triu_indices(3, 1)].min() > 1e-3


def test_a_context_of_another_model_is_refused(clip, siglip):
    state = fitted(clip, epochs=1).state()
    state.arrays["context"] = state.arrays["context"][:, :-1]
    with pytest.raises(InputError) as caught:
        fitting.restore(coop.METHOD, state, coop.METHOD.options(**FEW), clip.head, clip.lens)
    assert caught.value.code == "adapter_mismatch"


def test_a_context_that_leaves_no_room_for_a_name_is_refused(siglip):
    with pytest.raises(InputError) as caught:
        fitted(siglip, tokens=41)  # of 48 positions
    assert caught.value.code == "context_too_long"
