"""The order of imports, what stays unloaded, and which packages may be used."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "supertune"
FILES = sorted(SOURCE.rglob("*.py"))

# Left to right; docs/decisions/ says why where this differs from an earlier order.
ORDER = (
    ("errors",),
    ("limits", "launched"),
    ("contracts",),
    ("registry",),
    ("config",),
    ("placeholders",),
    ("structures",),
    ("metrics", "average_precision", "transcripts", "translations", "completions", "ranking"),
    ("data", "catalogue", "architectures"),
    ("modalities",),
    ("prompts",),
    ("tasks", "backbones", "methods"),
    ("training", "evaluation"),
    ("objectives",),
    ("opening",),
    ("pipeline",),
    ("choose", "baselines", "explaining", "recommending"),
    ("artifact", "report"),
    ("model",),
    ("labelling",),
    ("api", "sklearn"),
    ("cli", "__main__"),
)
PLACE = {room: place for place, rooms in enumerate(ORDER) for room in rooms}
STRANGERS = {"tasks", "backbones", "methods"}
HEAVY = ("torch", "transformers", "peft", "sklearn", "scipy", "pandas", "polars", "pyarrow")
HEAVY += (
    "diffusers",
    "PIL",
    "jinja2",
    "altair",
    "httpx",
    "huggingface_hub",
    "tokenizers",
    "datasets",
    "onnxruntime",
    "tensorflow",
    "keras",
)


def room(path: Path) -> str:
    """``src/supertune/data/readers.py`` is in the room "data"; the root itself is ""."""
    first = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def imported(tree: ast.AST) -> list[tuple[int, str]]:
    """(line, dotted name) of every import in a file, those inside functions too."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return found


def own_rooms(path: Path) -> list[tuple[int, str]]:
    """(line, room) of every import of supertune's own modules; its version is anybody's."""
    parts = [(line, name.split(".")) for line, name in imported(ast.parse(path.read_bytes()))]
    return [
        (line, name[1])
        for line, name in parts
        if name[0] == "supertune" and len(name) > 1 and name[1] != "__version__"
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_file_imports_nothing_to_its_right(path: Path) -> None:
    here = room(path)
    if here == "":
        assert {name for _, name in own_rooms(path)} <= {"api"}, "the root exposes api only"
        return
    wrong = [
        f"line {line}: {here} imports {there}"
        for line, there in own_rooms(path)
        if there not in PLACE
        or PLACE[there] > PLACE[here]
        or (here in STRANGERS and there in STRANGERS and here != there)
    ]
    assert not wrong, "\n".join(wrong)


def test_every_room_has_a_place_in_the_order() -> None:
    rooms = {room(path) for path in FILES} - {""}
    assert rooms <= set(PLACE), sorted(rooms - set(PLACE))


def dotted(path: Path) -> str:
    """``src/supertune/data/__init__.py`` is "supertune.data"."""
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def at_import(path: Path) -> set[str]:
    """What a file imports when it is imported itself: not in functions, not for types alone."""
    tree = ast.parse(path.read_bytes())
    tree.body = [
        node
        for node in tree.body
        if not isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    ]
    return {name for _, name in imported(tree)}


def test_no_module_imports_itself_in_a_circle() -> None:
    modules = {dotted(path): path for path in FILES}
    graph: dict[str, set[str]] = {}
    for module, path in modules.items():
        names = at_import(path)
        targets = {name if name in modules else name.rpartition(".")[0] for name in names}
        graph[module] = (targets & set(modules)) - {module, "supertune"}
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join((*trail, module))
        if module not in done:
            for target in sorted(graph[module]):
                visit(target, (*trail, module))
            done.add(module)

    for module in sorted(graph):
        visit(module, ())


def test_every_package_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"]]
    wanted += [one for name in extras.keys() - {"bench", "dev"} for one in extras[name]]
    declared = {_name(requirement) for requirement in wanted}
    # Recognised in what a person passes, and only if they imported it themselves.
    declared |= {"pandas", "polars", "datasets"}
    packages = metadata.packages_distributions()
    undeclared = {
        f"{path.relative_to(SOURCE)}:{line} {name}"
        for path in FILES
        for line, dotted in imported(ast.parse(path.read_bytes()))
        if (name := dotted.split(".")[0]) not in sys.stdlib_module_names | {"supertune"}
        and not declared & {_name(item) for item in packages.get(name, [name])}
    }
    assert not undeclared, sorted(undeclared)


def _name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match
    return re.sub(r"[-_.]+", "-", match[0]).lower()


LOADED = f"import sys; print(*sorted({{n.split('.')[0] for n in sys.modules}} & {set(HEAVY)!r}))"


def test_importing_supertune_loads_nothing_heavy(python) -> None:
    done = python(f"import supertune; {LOADED}")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


@pytest.mark.parametrize("arguments", [["--help"], ["fit", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(python, arguments: list[str]) -> None:
    code = f"""
import sys
sys.argv = ["supertune", *{arguments!r}]
from supertune.cli.main import main
try:
    code = main()
except SystemExit as end:
    code = end.code
assert not code, code
print("|||")
{LOADED}
"""
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.rpartition("|||")[2].strip() == ""


def test_the_public_names_are_those_of_the_api(python) -> None:
    code = """
import supertune, supertune.api as api
for name in supertune.__all__:
    if name != "__version__":
        assert getattr(supertune, name) is getattr(api, name), name
assert set(supertune.__all__) <= set(dir(supertune))
try:
    supertune.fitt
except AttributeError as error:
    print(error)
"""
    done = python(code)
    assert done.stdout.strip() == "module 'supertune' has no attribute 'fitt'", done.stderr


def test_the_version_is_that_of_the_installed_package() -> None:
    import supertune

    assert metadata.version("supertune") == supertune.__version__
