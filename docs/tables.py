"""Writes the tables of methods into README.md and docs/peft_methods.md, from the registry, and that
of several processes into docs/guides/scale.md, from what benchmarks found.

python docs/tables.py            # write
python docs/tables.py --check    # exit code 1 when a page is out of date
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from supertune import registry
from supertune.cli import matrix

ROOT = Path(__file__).resolve().parents[1]
README, PEFT = ROOT / "README.md", ROOT / "docs" / "peft_methods.md"
SCALE, RESULTS = ROOT / "docs" / "guides" / "scale.md", ROOT / "benchmarks" / "results"
START, END = "<!-- table: written by docs/tables.py -->", "<!-- end of table -->"


def table() -> str:
    """Markdown: one row a method, one column a backbone that serves it, for each task."""
    lines = []
    for name in registry.names("tasks"):
        fits = [one for one in matrix.fits() if one.task == name and not _of_this_machine(one)]
        serving = {one.backbone for one in fits if one.why is None} | {matrix.NONE}
        backbones = [one for one in dict.fromkeys(f.backbone for f in fits) if one in serving]
        lines += [f"`{name}`", ""]
        lines.append("| method | " + " | ".join(f"`{each}`" for each in backbones) + " | what |")
        lines.append("|---|" + "---|" * (len(backbones) + 1))
        for method in dict.fromkeys(one.method for one in fits if one.why is None):
            cells = [
                "yes" if one.why is None else "–"
                for each in backbones
                for one in fits
                if one.method == method and one.backbone == each
            ]
            summary = registry.method(method).summary
            lines.append(f"| `{method}` | " + " | ".join(cells) + f" | {summary} |")
        lines.append("")
    return "\n".join(lines).strip()


def _of_this_machine(fit: matrix.Fit) -> bool:
    """A hub model that happens to lie in this machine's cache."""
    return "/" in fit.backbone


def members() -> str:
    """Markdown: one row a type of the installed peft, where it runs or why it is refused."""
    lines = []
    for family in registry.families():
        names = ("encoder", "masked", "causal", "seq2seq")
        lines.append(f"| method | {' | '.join(names)} | to know |")
        lines.append("|---|" + "---|" * (len(names) + 1))
        for row in family.table():
            cells = ["yes" if name in row["families"] else "–" for name in names]
            lines.append(f"| `{row['name']}` | {' | '.join(cells)} | {row['why']} |")
    return "\n".join(lines)


def scaling() -> str:
    """Markdown: one row a figure of what was measured of several processes."""
    lines = ["| by | what | here | aim | measured |", "|---|---|---|---|---|"]
    for name in ("sharing", "many_tasks", "workers", "study_bulk"):
        path = RESULTS / f"{name}.json"
        if not path.exists():
            lines.append(f"| `{name}` | not measured yet | | | |")
            continue
        found = json.loads(path.read_text("utf-8"))
        for one in found["figures"]:
            value = f"{one['value']:,.0f}" if one["value"] >= 100 else f"{one['value']:.3g}"
            cells = (
                f"`{name}`",
                one["name"],
                f"{value} {one['unit']}",
                one["target"],
                found["measured"],
            )
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def page(path: Path, made: str) -> str:
    """A page with what stands between the marks written anew."""
    before, _, rest = path.read_text("utf-8").partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n\n{made}\n\n{END}{after}"


def main() -> int:
    made = {README: table(), PEFT: members(), SCALE: scaling()}
    wanted = {path: page(path, text) for path, text in made.items()}
    if "--check" in sys.argv:
        return int(any(path.read_text("utf-8") != text for path, text in wanted.items()))
    for path, text in wanted.items():
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
