"""Writes the table of tasks, methods and backbones into README.md, from the registry.

python docs/tables.py            # write
python docs/tables.py --check    # exit code 1 when README.md is out of date
"""

from __future__ import annotations

import sys
from pathlib import Path

from supertune import registry
from supertune.cli import matrix

README = Path(__file__).resolve().parents[1] / "README.md"
START, END = "<!-- table: written by docs/tables.py -->", "<!-- end of table -->"


def table() -> str:
    """Markdown: one row a method, one column a backbone, for each task."""
    lines = []
    for name in registry.names("tasks"):
        fits = [one for one in matrix.fits() if one.task == name and not _of_this_machine(one)]
        backbones = list(dict.fromkeys(one.backbone for one in fits))
        lines += [f"`{name}`", ""]
        lines.append("| method | " + " | ".join(f"`{each}`" for each in backbones) + " | what |")
        lines.append("|---|" + "---|" * (len(backbones) + 1))
        for method in dict.fromkeys(one.method for one in fits):
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


def main() -> int:
    text = README.read_text("utf-8")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    wanted = f"{before}{START}\n\n{table()}\n\n{END}{after}"
    if "--check" in sys.argv:
        return int(wanted != text)
    README.write_text(wanted, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
