"""The packages that supertune declares, and the versions of them that are installed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import metadata
from itertools import zip_longest

_LINE = re.compile(r"([A-Za-z0-9._-]+)\s*(?:\[[^]]*\])?\s*([^;]*)(?:;(.*))?")
_CLAUSE = re.compile(r"(===|==|!=|<=|>=|~=|<|>)\s*([^\s,]+)")
_EXTRA = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")


@dataclass(frozen=True)
class Requirement:
    """One declared package; ``extra`` names the optional group it belongs to, if any.

    ``installed`` is its version here, or None.
    """

    name: str
    range: str
    extra: str | None
    installed: str | None

    @property
    def satisfied(self) -> bool:
        return self.installed is not None and within(self.installed, self.range)

    @property
    def command(self) -> str:
        """What installs a version that is in range."""
        return f'pip install "{self.name}{self.range}"'


def declared(distribution: str = "supertune") -> list[Requirement]:
    """Every requirement of the installed distribution, in its order.

    Raises:
        importlib.metadata.PackageNotFoundError: it is used without being installed.
    """
    found = []
    for line in metadata.requires(distribution) or []:
        match = _LINE.fullmatch(line.strip())
        if match is None or match[1] == distribution:
            continue
        extra = _EXTRA.search(match[3] or "")
        wanted = ",".join(sorted("".join(clause) for clause in _CLAUSE.findall(match[2])))
        found.append(Requirement(match[1], wanted, extra[1] if extra else None, _here(match[1])))
    return found


def _here(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def within(version: str, wanted: str) -> bool:
    """Whether a version meets ``>=2.4,<3`` and the like, by its numbers alone (PEP 440's
    letters for pre-releases and local builds do not count: 2.13.0+cpu is 2.13.0)."""
    return all(_meets(version, sign, limit) for sign, limit in _CLAUSE.findall(wanted))


def _meets(version: str, sign: str, limit: str) -> bool:
    if limit.endswith(".*"):
        stem = _numbers(limit.removesuffix(".*"))
        same = _numbers(version)[: len(stem)] == stem
        return same if sign == "==" else not same
    if sign == "~=":
        stem = _numbers(limit)[:-1]
        return _compare(version, limit) >= 0 and _numbers(version)[: len(stem)] == stem
    order = _compare(version, limit)
    return {
        "<": order < 0,
        "<=": order <= 0,
        ">": order > 0,
        ">=": order >= 0,
        "!=": order != 0,
    }.get(sign, order == 0)


def _compare(one: str, other: str) -> int:
    for a, b in zip_longest(_numbers(one), _numbers(other), fillvalue=0):
        if a != b:
            return 1 if a > b else -1
    return 0


def _numbers(version: str) -> tuple[int, ...]:
    """``2.13.0rc1+cpu`` as (2, 13, 0)."""
    match = re.match(r"\d+(?:\.\d+)*", version.lstrip("v"))
    return tuple(int(part) for part in match[0].split(".")) if match else ()
