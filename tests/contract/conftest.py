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

import hashlib
import io
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import supertune
from supertune import registry
from supertune.artifact import tensor_bytes, weights_sha256
from supertune.artifact.tensors import read_tensors
from supertune.catalogue.corpora import few_shot
from supertune.catalogue.entries import model as catalogued
from supertune.config import Recipe
from supertune.contracts import (
    Examples,
    FloatArray,
    GradientMethod,
    GradientOptions,
    HeadSpec,
    Lens,
    Method,
    Picture,
    Problem,
    State,
    Tuned,
    misfit,
)
from supertune.evaluation.splits import Fold, repeated_folds
from supertune.pipeline import Workshop, reference
from supertune.prompts.resolving import candidates
from supertune.training import fitting

# Those of boxes and of pictures to be drawn have files of their own.
METHODS = [
    name
    for name in registry.names("methods")
    if registry.method(name).objectives & {"classify", "regress"}
]
CLASSIFIERS = [name for name in METHODS if "classify" in registry.method(name).objectives]
REGRESSORS = [name for name in METHODS if "regress" in registry.method(name).objectives]
ON_BACKBONES = [name for name in METHODS if registry.method(name).needs]
GRADIENT = [name for name in METHODS if isinstance(registry.method(name), GradientMethod)]

# What the rows are read with, beside the seed and the thread; of pictures, few pixels.
READ: Mapping[str, Mapping[str, Any]] = {
    "text": {"max_length": 32},
    "dinov2-small": {"resolution": 28},
    "efficientnet-lite0": {"resolution": 64},
}


def unfit(name: str, backbone: str) -> str | None:
    """Why a backbone of the catalogue cannot serve a method, or None."""
    method, entry = registry.method(name), catalogued(backbone)
    assert entry is not None
    objective = "classify" if "classify" in method.objectives else "regress"
    return misfit(method, objective, entry.offer, entry.offer.modality)


# No backbone of texts offers what these need: they are asked about pictures wherever others are
# asked about news.
SEEING = [name for name in ON_BACKBONES if all(unfit(name, text) for text in ("minilm", "smollm2"))]
PICTURED = [
    f"{name}-dinov2-small"
    for name in ON_BACKBONES
    if name in CLASSIFIERS and name not in SEEING and unfit(name, "dinov2-small") is None
]
# Of convolutions, those that are solved: what is trained would take the half of the time of all.
PICTURED += [f"{name}-efficientnet-lite0" for name in ("linear_probe", "nearest_centroid")]
TRAINED_ON_PICTURES = "lora-dinov2-small"
# One step of its own learning rate throws prompts too far on pictures, and one epoch is one step.
OPTIONS: Mapping[str, Mapping[str, Any]] = {"deep_prompts-dinov2-small": {"learning_rate": 0.001}}

# Where a promise cannot be asked of a method, and why. A method that is not named keeps all.
LEARNS_NO_WORDS = {
    "majority": "it answers with the classes' shares, whatever the input",
    "label_names": "it reads the labels' names and no row",
}
LEARNS_NO_ROWS = {"label_names": "it reads the labels' names and no row"}
ASKING = ("zero_shot_prompt", "prompt_search", "in_context")
LEARNS_NO_WORDS |= dict.fromkeys(
    ASKING, "two blocks of its backbone know no language; tests/methods has it on the whole"
)
LEARNS_NO_ROWS |= dict.fromkeys(ASKING, "it asks for every label, whether a row has it or not")

# Methods that train an encoder of which only the outcome is kept.
ENCODED = frozenset({"p_tuning"})

# Arrays of the state that are not tuned numbers; of a method that is not named, none.
NOT_TUNED: Mapping[str, frozenset[str]] = {
    "majority": frozenset({"prior"}),  # counted, and the floor for everything that is tuned
    "label_names": frozenset({"label_vectors"}),  # read off the backbone
    "bag_of_words": frozenset({"terms", "idf"}),  # which words there are, and how rare they are
    "mean": frozenset({"mean"}),  # counted, as the shares of "majority" are
}

MADE_UP = "quokkaflux"  # stands in every row that a model folder is made of

HOLDS_ROWS = {"in_context": "it shows rows in front of every question"}

# What prediction may be asked about, beside ordinary texts.
ODD: tuple[Any, ...] = (
    "",
    " ",
    "\n",
    "👍🏽",
    "日本語のテキスト",
    "ß" * 3000,
    "a\x00b",
    "?!",
    ("two", "texts"),
)


# Inputs that say next to nothing.
BARE: tuple[Any, ...] = ("👍", "👍👍", "!", "👎", "👎👎", "?")

ODD_NUMBERS: tuple[Any, ...] = ((0.0, 0.0, 0.0), (1e9, -1e9, 3.0), (-0.0, 1e-12, 0.5))


@pytest.fixture(scope="session")
def python(python: Any) -> Any:
    """A fresh interpreter that sees the packages that this one was started with."""
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return partial(python, paths=[Path(folder) for folder in given if folder])


@dataclass(frozen=True, eq=False)
class News:
    """18 rows of 3 labels, six each, in four settings: short texts by topic, or pictures."""

    three: Examples
    two: Examples
    several: Examples  # rows of the third label have the second one too
    missing: Examples  # of three labels, one has no row

    @classmethod
    def of(cls, three: Examples) -> News:
        assert three.targets is not None
        several = np.eye(3)[three.targets]
        several = np.column_stack([several[:, 0], several[:, 1:].sum(axis=1), several[:, 2]])
        pair = three.take(np.flatnonzero(three.targets < 2))
        return cls(
            three,
            replace(pair, labels=three.labels[:2]),
            replace(three, targets=several),
            replace(pair, labels=three.labels),
        )

    def __getitem__(self, setting: str) -> Examples:
        found: Examples = getattr(self, setting)
        return found

    @property
    def pairs(self) -> list[tuple[Any, str]]:
        """(input, label); of texts as `supertune.fit` takes them."""
        assert self.three.targets is not None
        names = (self.three.labels[i] for i in self.three.targets)
        return list(zip(self.three.inputs, names))


@pytest.fixture(scope="session")
def news(own_activations: Path) -> News:
    labels = ("business", "sports", "tech")
    drawn, _ = few_shot("bbc-news", per_class=6, test_rows=1, seed=0)
    rows = [(text[:110], label) for text, label in drawn if label in labels]
    targets = np.array([labels.index(label) for _, label in rows])
    assert len(rows) == 18
    texts = tuple(text for text, _ in rows)
    three = Examples(texts, targets, labels, np.arange(1, len(rows) + 1)).canonical()
    return News.of(three)


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures that the test has drawn, each in a file of its own."""

    rows: News
    odd: tuple[Picture, ...]
    bare: tuple[Picture, ...]  # of one grey each

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """(path, label) as `supertune.fit` takes them."""
        return [(as_given(picture), label) for picture, label in self.rows.pairs]


def as_given(value: Any) -> Any:
    """An input as a person gives it: of a picture, where its file is."""
    return str(value.path) if isinstance(value, Picture) else value


@pytest.fixture(scope="session")
def pictures(own_activations: Path, tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    """Noise around three colours, in files whose names nothing else has."""
    from PIL import Image

    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)

    def drawn(image: Any) -> Picture:
        stream = io.BytesIO()
        image.save(stream, "PNG")
        path = folder / f"{MADE_UP}-{len(list(folder.iterdir()))}.png"
        path.write_bytes(stream.getvalue())
        return Picture.of(stream.getvalue(), path.name, path)

    def grain(colour: Any, width: int = 40, height: int = 40) -> Any:
        noise = rng.normal(colour, 40, (height, width, 3))
        return Image.fromarray(noise.clip(0, 255).astype(np.uint8))

    colours = ((50, 70, 210), (40, 180, 60), (210, 50, 50))
    inputs = tuple(drawn(grain(colour)) for colour in colours for _ in range(6))
    targets = np.repeat(np.arange(3), 6)
    three = Examples(inputs, targets, ("blue", "green", "red"), np.arange(1, 19)).canonical()
    plain = grain((128, 128, 128))
    odd = (
        *(plain.convert(mode) for mode in ("L", "RGBA", "P", "1")),
        *(grain(colours[0], *size) for size in ((1, 1), (3, 200), (120, 2))),
    )
    bare = (Image.new("RGB", (20, 20), (level,) * 3) for level in (0, 50, 100, 150, 200, 250))
    return Pictures(News.of(three), *(tuple(map(drawn, images)) for images in (odd, bare)))


@dataclass(frozen=True, eq=False)
class Measured:
    """Rows with a value: 24 of three numbers, and the 18 texts and pictures with one each."""

    numbers: Examples
    texts: Examples
    pictures: Examples

    @property
    def dicts(self) -> list[dict[str, float]]:
        """The rows of numbers as `supertune.fit` takes them."""
        assert self.numbers.targets is not None
        names = (*self.numbers.columns, *self.numbers.labels)
        rows = zip(self.numbers.inputs, self.numbers.targets.tolist(), strict=True)
        return [dict(zip(names, (*row, value), strict=True)) for row, value in rows]


@pytest.fixture(scope="session")
def measured(news: News, pictures: Pictures) -> Measured:
    rng = np.random.default_rng(0)
    x = rng.normal((5, -40, 0), (1, 20, 0.1), (24, 3))
    y = x @ (2.0, 0.3, -10.0) + rng.normal(0, 1.0, 24) + 100
    numbered = np.arange(1, 25)
    numbers = Examples(
        tuple(map(tuple, x.tolist())), y, ("price",), numbered, columns=("a", "b", "c")
    )

    def valued(rows: Examples) -> Examples:
        """What the row is about decides the value, so that it can be learned."""
        assert rows.targets is not None
        values = 10.0 * rows.targets + rng.normal(0, 1, len(rows))
        return replace(rows, targets=values, labels=("price",)).canonical()

    return Measured(numbers.canonical(), valued(news.three), valued(pictures.rows.three))


@dataclass(eq=False)
class Case:
    """One method on rows of one kind, and on a backbone where it takes one.

    Attributes:
        key: names it among all.
        backbone: its name or its folder.
        settings: rows by name; the first are those that are asked about.
        spare: of these, other rows that can be fitted in between.
        odd: inputs of this kind that are unlike the others.
        bare: six inputs of this kind that say next to nothing.
        reading: what the recipe says of how rows are read.
    """

    key: str
    method: Method
    backbone: str | None
    lens: Lens | None
    settings: Mapping[str, Examples]
    spare: str
    odd: tuple[Any, ...]
    bare: tuple[Any, ...]
    reading: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.method.name

    @property
    def main(self) -> str:
        return next(iter(self.settings))

    @property
    def examples(self) -> Examples:
        return self.settings[self.main]

    @property
    def outputs(self) -> int:
        return len(self.examples.labels)

    @property
    def gradient(self) -> bool:
        return isinstance(self.method, GradientMethod)

    @cached_property
    def options(self) -> Any:
        """Its own defaults; one epoch is enough to keep promises by."""
        kind = self.method.options
        return kind(**self.keys)

    @property
    def keys(self) -> dict[str, Any]:
        own = OPTIONS.get(self.key, {})
        return {"epochs": 1, **own} if issubclass(self.method.options, GradientOptions) else {}

    def problem(self, examples: Examples, **changes: Any) -> Problem:
        head = HeadSpec(len(examples.labels), examples.multi_label, examples.valued)
        prompts = () if examples.valued else candidates(examples.labels)
        return replace(Problem(examples, head, self.lens, seed=0, prompts=prompts), **changes)

    def fit(self, examples: Examples, **changes: Any) -> Tuned:
        return fitting.fit(self.method, self.problem(examples, **changes), self.options)

    def tuned(self, setting: str = "") -> Tuned:
        """Fitted once; not to be changed."""
        setting = setting or self.main
        if setting not in self._tuned:
            self._tuned[setting] = self.fit(self.settings[setting])
        return self._tuned[setting]

    @cached_property
    def _tuned(self) -> dict[str, Tuned]:
        return {}

    def restored(self, state: State, setting: str = "") -> Tuned:
        head = self.problem(self.settings[setting or self.main]).head
        return fitting.restore(self.method, state, self.options, head, self.lens)

    def logits(self, inputs: Any, setting: str = "") -> FloatArray:
        return self.tuned(setting).logits(inputs, self.lens)

    @cached_property
    def answers(self) -> FloatArray:
        """(n, C) logits of its own training rows."""
        return self.logits(self.examples.inputs)


def _labelled(news: News) -> dict[str, Examples]:
    return {name: news[name] for name in ("three", "two", "several", "missing")}


def _valued(rows: Examples) -> dict[str, Examples]:
    return {"all": rows, "half": rows.take(range(0, len(rows), 2))}


@pytest.fixture(scope="session")
def minilm(own_activations: Path) -> Lens:
    return _lens()


def _lens(backbone: str = "minilm", reading: Mapping[str, Any] = READ["text"]) -> Lens:
    lens = Workshop(Recipe(threads=1, **reading)).lens(backbone)
    assert lens is not None
    return lens


@pytest.fixture(scope="session")
def low_smollm2(own_activations: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The lowest two of smollm2's thirty blocks: real words, real weights, in little time."""
    return lowest("smollm2", 2, tmp_path_factory.mktemp("low"))


@pytest.fixture(scope="session")
def low_dinov2(own_activations: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The lowest four of dinov2-small's twelve blocks."""
    return lowest("dinov2-small", 4, tmp_path_factory.mktemp("low"))


def lowest(name: str, blocks: int, place: Path) -> str:
    """A folder of a backbone of the catalogue without its upper blocks."""
    from safetensors import safe_open
    from safetensors.numpy import save_file

    whole, part = reference(name).folder, place / f"{name}-low"
    assert whole is not None
    part.mkdir()
    for path in whole.iterdir():
        if path.suffix != ".safetensors" and path.is_file():
            (part / path.name).write_bytes(path.read_bytes())
    config = json.loads((whole / "config.json").read_text("utf-8"))
    (part / "config.json").write_text(json.dumps({**config, "num_hidden_layers": blocks}), "utf-8")

    def kept(tensor: str) -> bool:
        number = re.search(r"\blayers?\.(\d+)\.", tensor)
        return number is None or int(number[1]) < blocks

    for path in whole.glob("*.safetensors"):
        with safe_open(path, "numpy") as file:
            names = [one for one in file.keys() if kept(one)]  # noqa: SIM118
            save_file({n: file.get_tensor(n) for n in names}, part / path.name, {"format": "pt"})
    return str(part)


@pytest.fixture(scope="session")
def backbone_of(request: pytest.FixtureRequest) -> Callable[[str, str], str]:
    """A backbone that a method fits, on texts or as ``on`` says."""

    def found(name: str, on: str) -> str:
        if on == "dinov2-small" or on == "valued pictures":
            return str(request.getfixturevalue("low_dinov2"))
        if on == "efficientnet-lite0":
            return on
        asks = "score_text" in registry.method(name).needs
        return str(request.getfixturevalue("low_smollm2")) if asks else "minilm"

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
    rows: dict[str, Mapping[str, Examples]] = {
        "news": _labelled(news),
        "numbers": _valued(measured.numbers),
        "texts": _valued(measured.texts),
        "valued pictures": _valued(measured.pictures),
    }

    def found(key: str) -> Case:
        if key in known:
            return known[key]
        name, _, on = key.partition("-")
        method = registry.method(name)
        labels = "dinov2-small" if name in SEEING else "news"
        on = on or (labels if "classify" in method.objectives else "numbers")
        settings = rows.get(on, _labelled(pictures.rows))
        texts = on in ("news", "texts")
        reading = READ["text" if texts else on if on in READ else "dinov2-small"]
        odd, bare = (ODD, BARE) if texts else (pictures.odd, pictures.bare)
        odd = ODD_NUMBERS if on == "numbers" else odd
        backbone = lens = None
        if method.needs and on != "numbers":
            backbone = backbone_of(name, on)
            again = backbone, repr(reading)
            lens = lenses.setdefault(again, _lens(backbone, reading))
            UNTOUCHED.setdefault(id(lens.backbone), fingerprint(lens))
        spare = "two" if "two" in settings else "half"
        known[key] = Case(key, method, backbone, lens, settings, spare, odd, bare, reading)
        return known[key]

    return found


UNTOUCHED: dict[int, str] = {}  # by backbone, the weights in memory as they were read


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


def fingerprint(lens: Lens) -> str:
    """sha256 of what the backbone is in memory; of its answers where it has no weights."""
    backbone: Any = lens.backbone
    if hasattr(backbone, "fingerprint"):
        return str(backbone.fingerprint())
    tokens = backbone.tokens(["a text", "another one"], lens.encoding)
    return hashlib.sha256(backbone.features(tokens, lens.encoding).tobytes()).hexdigest()


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
    return ODD


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


JUDGED = """
import json, sys
import supertune
from supertune import registry
from supertune.contracts import misfit
from supertune.errors import InputError
rows = [(f"{word} of the day", label) for label, words in
        (("food", ("soup", "bread", "rice")), ("weather", ("rain", "wind", "snow")))
        for word in words]
heard = {}
for method in registry.methods():
    why = misfit(method, "rank", None)
    backbone = "none" if method.needs else "minilm"
    try:
        supertune.fit(rows, method=method.name, backbone=backbone)
        heard[method.name] = [why, "nothing", ""]
    except InputError as error:
        heard[method.name] = [why, error.code, str(error)]
    heavy = {"torch", "transformers", "peft", "sklearn", "scipy"} & set(sys.modules)
    heard[method.name].append(sorted(heavy))
print(json.dumps(heard))
"""


@pytest.fixture(scope="session")
def judged(python: Any) -> dict[str, Any]:
    """What a fresh process says to a combination that cannot work, method by method."""
    done = python(JUDGED)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


# --- model folders ----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Saved:
    """A model folder, and what the object answered before it was written."""

    folder: Path
    options: dict[str, Any]
    asked: tuple[Any, ...]
    rows: list[Any]  # that it was fitted on
    scored: str  # the bytes of the answers, in hex
    answers: list[Any]
    tuned: str  # sha256
    backbone_files: tuple[dict[str, str], dict[str, str]]  # sha256 by name, before and after


def _files(name: str | None) -> dict[str, str]:
    if name is None:
        return {}
    folder = reference(name).folder
    assert folder is not None
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
    }


@pytest.fixture(scope="session")
def marked(news: News, pictures: Pictures, measured: Measured) -> Callable[[Case], list[Any]]:
    """Rows as a person gives them; texts each with a word that nothing else has."""
    texts = [(f"{text} {MADE_UP}", label) for text, label in news.pairs]

    def given(case: Case) -> list[Any]:
        rows: dict[str, list[Any]] = {"numbers": measured.dicts, "image": pictures.pairs}
        return rows.get(case.examples.modality, texts)

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
        before, rows = _files(case.backbone), marked(case)
        model = supertune.fit(rows, output=folder, keep_rows=name in HOLDS_ROWS, **options)
        asked = tuple(map(as_given, (*case.examples.inputs, *case.odd)))
        state = model.tuned.state()
        known[case.key] = Saved(
            folder,
            options,
            asked,
            rows,
            model.predictions(asked).scored.tobytes().hex(),
            model.predict(asked).tolist(),
            weights_sha256({**state.arrays, **state.adapter}),
            (before, _files(case.backbone)),
        )
        return known[case.key]

    return made


@pytest.fixture(scope="session")
def opened_weights() -> Callable[[Case], str | None]:
    """Fingerprint of the backbone that `supertune.fit` itself holds open."""
    return lambda case: fingerprint(_lens(case.backbone, case.reading)) if case.backbone else None


RELOAD = """
import json, pathlib, sys
import supertune
from supertune.artifact import weights_sha256
heard = {}
task = json.loads(pathlib.Path(sys.argv[1]).read_text("utf-8"))
for name, (folder, options, asked, rows) in task.items():
    model = supertune.load(folder)
    asked = [tuple(a) if isinstance(a, list) else a for a in asked]
    again = supertune.fit(
        [tuple(row) if isinstance(row, list) else row for row in rows[::-1]], **options
    )
    state = again.tuned.state()
    heard[name] = {
        "scored": model.predictions(asked).scored.tobytes().hex(),
        "answers": model.predict(asked).tolist(),
        "tuned": weights_sha256({**state.arrays, **state.adapter}),
    }
print(json.dumps(heard))
"""


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
