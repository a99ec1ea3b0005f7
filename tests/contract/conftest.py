"""Every registered method on a few rows, fitted once a session and asked many things.

A method that serves labels is asked about news; one that serves values alone, about columns of
numbers, and about texts with a value where it takes a backbone. A method that no backbone of
texts can serve is asked about pictures instead. What reads texts and pictures is asked about both
where a promise costs little, by the ``combination`` fixture; where it costs more, ``case`` has
besides every method on its own kind of rows one that is trained on pictures, lora.

What is registered is found by name, so a new file in ``methods/``, ``tasks/`` or ``backbones/``,
or a package of somebody else, is held to all of it without a line being changed here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests import tiny_towers
from tests.contract import rows
from tests.contract.cases import UNTOUCHED, Case, fingerprint, lowest, opened
from tests.contract.combinations import (
    CLASSIFIERS,
    ENCODED,
    GRADIENT,
    HOLDS_ROWS,
    LEARNS_NO_ROWS,
    LEARNS_NO_WORDS,
    METHODS,
    NOT_TUNED,
    ON_BACKBONES,
    PICTURED,
    READ,
    REGRESSORS,
    SEEING,
    TRAINED_ON_PICTURES,
    seen_by,
)
from tests.contract.folders import JUDGED, RELOAD, Saved, files
from tests.contract.rows import Measured, News, Pictures

import supertune
from supertune import registry
from supertune.artifact import tensor_bytes, weights_sha256
from supertune.artifact.tensors import read_tensors
from supertune.contracts import Examples, FloatArray, Lens, State, Tuned, misfit
from supertune.evaluation.splits import Fold, repeated_folds
from supertune.training import fitting


@pytest.fixture(scope="session")
def python(python: Any) -> Any:
    """A fresh interpreter that sees the packages that this one was started with."""
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return partial(python, paths=[Path(folder) for folder in given if folder])


@pytest.fixture(scope="session")
def news(own_activations: Path) -> News:
    return rows.news()


@pytest.fixture(scope="session")
def pictures(own_activations: Path, tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    return rows.pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="session")
def measured(news: News, pictures: Pictures) -> Measured:
    return rows.measured(news, pictures)


@pytest.fixture(scope="session")
def low_minilm(own_activations: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The lowest three of minilm's six blocks, and the commonest 8,000 of its 30,522 tokens: real
    words, real weights, in little time."""
    return lowest("minilm", 3, tmp_path_factory.mktemp("low"), words=8000)


@pytest.fixture(scope="session")
def minilm(low_minilm: str) -> Lens:
    return opened(low_minilm, READ["text"])


@pytest.fixture(scope="session")
def low_smollm2(own_activations: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The lowest two of smollm2's thirty blocks: real words, real weights, in little time."""
    return lowest("smollm2", 2, tmp_path_factory.mktemp("low"))


@pytest.fixture(scope="session")
def low_dinov2(own_activations: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The lowest four of dinov2-small's twelve blocks."""
    return lowest("dinov2-small", 4, tmp_path_factory.mktemp("low"))


@pytest.fixture(scope="session")
def tiny_clip(own_activations: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Random: no real one is at hand."""
    return str(tiny_towers.clip(tmp_path_factory.mktemp("low") / "tiny-random-clip"))


@pytest.fixture(scope="session")
def backbone_of(request: pytest.FixtureRequest) -> Callable[[str, str], str]:
    """A backbone that a method fits, on texts or as ``on`` says."""

    def found(name: str, on: str) -> str:
        if on == "efficientnet-lite0":
            return on
        kept = {"dinov2-small": "low_dinov2", "valued pictures": "low_dinov2", "clip": "tiny_clip"}
        asks = "score_text" in registry.method(name).needs
        fixture = kept.get(on, "low_smollm2" if asks else "low_minilm")
        return str(request.getfixturevalue(fixture))

    return found


@pytest.fixture(scope="session")
def case_of(
    news: News,
    pictures: Pictures,
    measured: Measured,
    backbone_of: Callable[[str, str], str],
) -> Callable[..., Case]:
    """``case_of("lora")`` or ``case_of("lora-dinov2-small")``: the same case whoever asks.

    After the name follows what it is asked about, "news", "numbers", "texts", "valued pictures" or
    a backbone that reads labelled pictures; by default news where the method serves labels.
    """
    known: dict[str, Case] = {}
    lenses: dict[tuple[str, str], Lens] = {}
    kinds: dict[str, Mapping[str, Examples]] = {
        "news": rows.labelled(news),
        "numbers": rows.halved(measured.numbers),
        "texts": rows.halved(measured.texts),
        "valued pictures": rows.halved(measured.pictures),
    }

    def found(key: str) -> Case:
        if key in known:
            return known[key]
        name, _, on = key.partition("-")
        method = registry.method(name)
        labels = seen_by(name) if name in SEEING else "news"
        on = on or (labels if "classify" in method.objectives else "numbers")
        settings = kinds.get(on, rows.labelled(pictures.rows))
        texts = on in ("news", "texts")
        reading = READ["text" if texts else on if on in READ else "dinov2-small"]
        odd, bare = (rows.ODD, rows.BARE) if texts else (pictures.odd, pictures.bare)
        odd = rows.ODD_NUMBERS if on == "numbers" else odd
        backbone = lens = None
        if method.needs and on != "numbers":
            backbone = backbone_of(name, on)
            again = backbone, repr(reading)
            lens = lenses.setdefault(again, opened(backbone, reading))
            UNTOUCHED.setdefault(id(lens.backbone), fingerprint(lens))
        spare = "two" if "two" in settings else "half"
        known[key] = Case(key, method, backbone, lens, settings, spare, odd, bare, reading)
        return known[key]

    return found


@pytest.fixture(scope="session", params=[*METHODS, TRAINED_ON_PICTURES])
def case(request: pytest.FixtureRequest, case_of: Callable[..., Case]) -> Case:
    """Each method in turn, and one that is trained on pictures."""
    return case_of(request.param)


@pytest.fixture(scope="session", params=[*METHODS, *PICTURED])
def combination(request: pytest.FixtureRequest, case_of: Callable[..., Case]) -> Case:
    """Each method in turn, on texts and on pictures where it reads both."""
    return case_of(request.param)


@pytest.fixture(scope="session", params=[*CLASSIFIERS, TRAINED_ON_PICTURES])
def classifier(request: pytest.FixtureRequest, case_of: Callable[..., Case]) -> Case:
    """Each method that answers with labels."""
    return case_of(request.param)


@pytest.fixture(scope="session", params=[*CLASSIFIERS, *PICTURED])
def labeller(request: pytest.FixtureRequest, case_of: Callable[..., Case]) -> Case:
    """Each method that answers with labels, on texts and on pictures where it reads both."""
    return case_of(request.param)


@pytest.fixture(
    scope="session",
    params=[
        f"{name}-{on}"
        for name in REGRESSORS
        for on in ("numbers", "valued pictures" if name in SEEING else "texts")
        if on != "numbers" or misfit(registry.method(name), "regress", None, on) is None
    ],
)
def regressor(request: pytest.FixtureRequest, case_of: Callable[..., Case]) -> Case:
    """Each method that answers with values, on numbers and on texts or pictures."""
    return case_of(request.param)


@pytest.fixture(scope="session", params=[*ON_BACKBONES, *PICTURED])
def on_backbone(request: pytest.FixtureRequest, case_of: Callable[..., Case]) -> Case:
    """Each method that takes a backbone."""
    labels = "classify" in registry.method(request.param.partition("-")[0]).objectives
    return case_of(request.param if labels else f"{request.param}-texts")


@pytest.fixture(scope="session", params=[*GRADIENT, TRAINED_ON_PICTURES])
def trained(request: pytest.FixtureRequest, case_of: Callable[..., Case]) -> Case:
    """Each method that the shared loop trains."""
    return case_of(request.param)


@pytest.fixture(scope="session")
def same_weights() -> Callable[[Case], bool]:
    """Whether a case's backbone is in memory as it was read."""

    def same(case: Case) -> bool:
        assert case.lens is not None
        return fingerprint(case.lens) == UNTOUCHED[id(case.lens.backbone)]

    return same


@pytest.fixture(scope="session")
def state_bytes() -> Callable[[Tuned], bytes]:
    """All that a model folder keeps of a fitted method."""

    def written(tuned: Tuned) -> bytes:
        state = tuned.state()
        parts = (tensor_bytes(state.arrays), tensor_bytes(state.adapter))
        return b"|".join((*parts, repr((state.settings, state.adapter_config)).encode()))

    return written


@pytest.fixture(scope="session")
def read_back() -> Callable[[State], State]:
    """A state through the bytes of a model folder."""

    def through(state: State) -> State:
        arrays, adapter = (
            read_tensors(tensor_bytes(part), "state") for part in (state.arrays, state.adapter)
        )
        return State(arrays, dict(state.settings), adapter, state.adapter_config)

    return through


@pytest.fixture(scope="session")
def exempt() -> Callable[[Case, str], None]:
    """Leave out what a method is not asked, with the reason declared above."""

    def leave(case: Case, what: str) -> None:
        declared = {"words": LEARNS_NO_WORDS, "rows": LEARNS_NO_ROWS, "kept": HOLDS_ROWS}[what]
        if case.name in declared:
            pytest.skip(declared[case.name])

    return leave


@pytest.fixture(scope="session")
def not_tuned() -> Callable[[Case], frozenset[str]]:
    """Arrays of a method's state that are not tuned numbers."""
    return lambda case: NOT_TUNED.get(case.name, frozenset())


@pytest.fixture(scope="session")
def encoded() -> frozenset[str]:
    """Methods that train more than they keep."""
    return ENCODED


@pytest.fixture(scope="session")
def odd() -> tuple[Any, ...]:
    return rows.ODD


@pytest.fixture(scope="session")
def folds() -> Callable[[Case], list[list[Fold]]]:
    return lambda case: repeated_folds(case.examples, folds=2, repeats=1, seed=0)


@pytest.fixture(scope="session")
def crossed(folds: Callable[[Case], list[list[Fold]]]) -> Callable[[Case], FloatArray]:
    """(1, n, C) answers of models that did not see the row, once a case."""
    known: dict[int, FloatArray] = {}

    def answers(case: Case) -> FloatArray:
        if id(case) not in known:
            problem = case.problem(case.examples)
            known[id(case)] = fitting.out_of_fold(case.method, problem, case.options, folds(case))
        return known[id(case)]

    return answers


@pytest.fixture(scope="session")
def judged(python: Any) -> dict[str, Any]:
    """What a fresh process says to a combination that cannot work, method by method."""
    done = python(JUDGED)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


# --- model folders ----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def marked(news: News, pictures: Pictures, measured: Measured) -> Callable[[Case], list[Any]]:
    """Rows as a person gives them; texts each with a word that nothing else has."""
    texts = [(f"{text} {rows.MADE_UP}", label) for text, label in news.pairs]

    def given(case: Case) -> list[Any]:
        kinds: dict[str, list[Any]] = {"numbers": measured.dicts, "image": pictures.pairs}
        return kinds.get(case.examples.modality, texts)

    return given


@pytest.fixture(scope="session")
def saved(
    marked: Callable[[Case], list[Any]], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Case], Saved]:
    """Fitted and saved as a person would, once a case."""
    root = tmp_path_factory.mktemp("folders")
    known: dict[str, Saved] = {}

    def made(case: Case) -> Saved:
        if case.key in known:
            return known[case.key]
        name, folder = case.name, root / case.key
        options = {"method": name, "folds": 2, "repeats": 1, "threads": 1, **case.reading}
        options |= case.keys | ({"backbone": case.backbone} if case.backbone else {})
        options |= {"task": "regression"} if case.examples.valued else {}
        before, given = files(case.backbone), marked(case)
        model = supertune.fit(given, output=folder, keep_rows=name in HOLDS_ROWS, **options)
        asked = tuple(map(rows.as_given, (*case.examples.inputs, *case.odd)))
        state = model.tuned.state()
        known[case.key] = Saved(
            folder,
            options,
            asked,
            given,
            model.predictions(asked).scored.tobytes().hex(),
            model.predict(asked).tolist(),
            weights_sha256({**state.arrays, **state.adapter}),
            (before, files(case.backbone)),
        )
        return known[case.key]

    return made


@pytest.fixture(scope="session")
def opened_weights() -> Callable[[Case], str | None]:
    """Fingerprint of the backbone that `supertune.fit` itself holds open."""
    return lambda case: fingerprint(opened(case.backbone, case.reading)) if case.backbone else None


@pytest.fixture(scope="session")
def reloaded(
    request: pytest.FixtureRequest,
    case_of: Callable[..., Case],
    saved: Callable[[Case], Saved],
    python: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    """What one fresh process makes of the folders of all methods that this run asks about."""
    specs = [getattr(item, "callspec", None) for item in request.session.items]
    cases = [spec.params.get("case") for spec in specs if spec is not None]
    named = {case for case in cases if isinstance(case, str)}
    models = {}
    for key in sorted(named & {*METHODS, TRAINED_ON_PICTURES}):
        one = saved(case_of(key))
        models[key] = [str(one.folder), one.options, one.asked, one.rows]
    written = tmp_path_factory.mktemp("asked") / "task.json"
    written.write_text(json.dumps(models), encoding="utf-8")
    done = python(RELOAD, str(written), timeout=300)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))
