"""Model folders, and what a fresh process says of them and of combinations."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supertune.pipeline import reference

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
    why = misfit(method, "stylize", None)
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


def files(name: str | None) -> dict[str, str]:
    """sha256 of the files of a backbone, by name."""
    if name is None:
        return {}
    folder = reference(name).folder
    assert folder is not None
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
    }


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
