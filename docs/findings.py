"""Writes docs/guides/findings.md from the table of codes.

python docs/findings.py            # write
python docs/findings.py --check    # exit code 1 when the page is out of date
"""

from __future__ import annotations

import sys
from pathlib import Path

from supertune.training.codes import CODES, Code

PAGE = Path(__file__).resolve().parent / "guides" / "findings.md"

INTRODUCTION = """\
# What a fit finds out about itself

<!-- written by docs/findings.py -->

A fit can go through without an error and still have done nothing: a learning rate of zero, an
adapter that is not in the model when it answers, a text that was cut off entirely. So every fit
watches itself while it runs, and is held to its own rows once it has ended. What it finds has a
code. A *warning* stands first among the findings that `supertune fit` prints, in `--json`, in
`report.json`, in `report.html` and in the model card. What makes the outcome worthless *stops*
the run with an error of that code: exit code 2 where your rows or settings can mend it, 1
otherwise.

The watching takes a few runs of the model on at most 8 rows. While folds are fitted for the
estimate, only what stops a run is told; the warnings are those of the model that is kept.
"""

MISSED = """\
## What no fit finds

The fault injection of `tests/training/faults` breaks a fit in some seventy ways, one at a time, and
each is told by a code above, but for two. Both give a model that is sound on its own rows, so
look at the score beside the majority class:

- labels that were exchanged between rows before supertune read them: rows and labels that belong
  together are not to be told from others by any fit;
- words that were exchanged for others everywhere, such as by another tokenizer: that is another
  language, and a fit of a few rows separates them all the same.
"""


def page() -> str:
    lines = [INTRODUCTION]
    for title, gravity in (("Warnings", "warning"), ("What stops a run", "stop")):
        lines += [f"## {title}", "", "| code | what was seen | what to do |", "|---|---|---|"]
        lines += [_row(name, code) for name, code in CODES.items() if code.gravity == gravity]
        lines.append("")
    return "\n".join([*lines, MISSED]).rstrip() + "\n"


def _row(name: str, code: Code) -> str:
    ends = " (exit code 2)" if code.own else ""
    return f"| `{name}`{ends} | {code.means} | {code.next} |"


def main() -> int:
    if "--check" in sys.argv:
        return int(page() != PAGE.read_text("utf-8"))
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
