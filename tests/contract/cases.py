"""One method on rows of one kind, fitted once a session, and the backbones that it is given."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.contract.combinations import OPTIONS

from supertune.config import Recipe
from supertune.contracts import (
    Examples,
    FloatArray,
    GradientMethod,
    GradientOptions,
    HeadSpec,
    Lens,
    Method,
    Problem,
    State,
    Tuned,
)
from supertune.pipeline import Workshop, reference
from supertune.prompts.resolving import candidates
from supertune.training import fitting


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


def opened(backbone: str, reading: Mapping[str, Any]) -> Lens:
    lens = Workshop(Recipe(threads=1, **reading)).lens(backbone)
    assert lens is not None
    return lens


def lowest(name: str, blocks: int, place: Path, words: int | None = None) -> str:
    """A folder of a backbone of the catalogue without its upper blocks; with ``words``, without
    the rarer tokens of its vocabulary too, whose words then come in more pieces."""
    from safetensors import safe_open
    from safetensors.numpy import save_file

    whole, part = reference(name).folder, place / f"{name}-low"
    assert whole is not None
    part.mkdir()
    for path in whole.iterdir():
        if path.suffix != ".safetensors" and path.is_file():
            (part / path.name).write_bytes(path.read_bytes())
    config = json.loads((whole / "config.json").read_text("utf-8"))
    config["num_hidden_layers"] = blocks
    if words is not None:
        config["vocab_size"] = words
        _commonest(part / "tokenizer.json", words)
    (part / "config.json").write_text(json.dumps(config), "utf-8")

    def kept(tensor: str) -> bool:
        number = re.search(r"\blayers?\.(\d+)\.", tensor)
        return number is None or int(number[1]) < blocks

    for path in whole.glob("*.safetensors"):
        with safe_open(path, "numpy") as file:
            names = [one for one in file.keys() if kept(one)]  # noqa: SIM118
            arrays = {name: file.get_tensor(name) for name in names}
        for name in arrays if words is not None else ():
            if name.endswith("word_embeddings.weight"):
                arrays[name] = arrays[name][:words].copy()
        save_file(arrays, part / path.name, {"format": "pt"})
    return str(part)


def _commonest(path: Path, words: int) -> None:
    """A tokenizer's file with its first tokens alone: BERT's are in order of frequency."""
    tokenizer = json.loads(path.read_text("utf-8"))
    vocabulary = tokenizer["model"]["vocab"]
    tokenizer["model"]["vocab"] = {word: i for word, i in vocabulary.items() if i < words}
    path.write_text(json.dumps(tokenizer), "utf-8")
    path.with_name("vocab.txt").unlink()


UNTOUCHED: dict[int, str] = {}  # by backbone, the weights in memory as they were read


def fingerprint(lens: Lens) -> str:
    """sha256 of what the backbone is in memory; of its answers where it has no weights."""
    backbone: Any = lens.backbone
    if hasattr(backbone, "fingerprint"):
        return str(backbone.fingerprint())
    tokens = backbone.tokens(["a text", "another one"], lens.encoding)
    return hashlib.sha256(backbone.features(tokens, lens.encoding).tobytes()).hexdigest()
