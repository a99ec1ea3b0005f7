"""Sizes and forbidden words, so that a review need not look for them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = sorted((ROOT / "src").rglob("*.py"))
WRITTEN = [
    path
    for folder in ("src", "tests", "docs", "recipes", "benchmarks", ".ci")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in {".py", ".md", ".yaml", ".json", ".html", ".j2", ".toml", ""}
    and path.is_file()
] + [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile")]
VAGUE = {"utils", "helpers", "common", "misc", "util", "helper"}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCE, ids=relative)
def test_a_file_stops_at_500_lines_and_a_function_at_60(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 500
    functions = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    spans = {node.name: (node.end_lineno or 0) - node.lineno + 1 for node in functions}
    assert {name: lines for name, lines in spans.items() if lines > 60} == {}


def test_no_module_has_a_vague_name() -> None:
    assert [relative(path) for path in SOURCE if path.stem in VAGUE] == []


@pytest.mark.parametrize("path", SOURCE, ids=relative)
def test_nothing_unpickles_or_runs_remote_code(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    imports = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert not imports & {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve"}
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        keywords = {word.arg: word.value for word in call.keywords}
        assert "trust_remote_code" not in keywords, f"line {call.lineno}"
        if ast.unparse(call.func) == "torch.load":
            assert ast.unparse(keywords["weights_only"]) == "True", f"line {call.lineno}"
        if ast.unparse(call.func) in {"np.load", "numpy.load"}:
            assert ast.unparse(keywords["allow_pickle"]) == "False", f"line {call.lineno}"


def test_no_path_of_one_machine_is_written_down() -> None:
    machine = re.compile(r"(?<![\w.\-/])/(?:work|root|farm)/|(?<![\w.\-/])/home/[a-z]+/")
    found = [
        f"{relative(path)}:{number}"
        for path in WRITTEN
        if path.is_file() and path != Path(__file__)
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1)
        if machine.search(line)
    ]
    assert found == []
