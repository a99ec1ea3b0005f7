"""A rule of the house for lists: a function of the user's own code, which is imported because they
name it, and for no other reason."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from supertune.errors import InputError
from supertune.recommending import Rule

EXAMPLE = "--rule shop_rules:in_stock"


def rule(named: str) -> Rule:
    """The function ``MODULE:FUNCTION``, of a module that is installed or lies in this folder.

    Raises:
        InputError: ``bad_rule`` where there is none; once it is asked, ``rule_failed`` where it
            raises or answers anything but True or False.
    """
    place, sign, name = named.partition(":")
    parts = [*place.split("."), name]
    if not sign or not all(part.isidentifier() for part in parts):
        raise _bad(named, "A rule is named by its module and its function.")
    try:
        with _here():
            module = importlib.import_module(place)
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        raise _bad(named, f"The module of the rule cannot be imported ({said}).") from error
    function = getattr(module, name, None)
    if not callable(function):
        raise _bad(named, f"{place} has no function '{name}'.")

    def asked(item: dict[str, Any]) -> bool:
        try:
            answer = function(item)
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            raise _failed(named, item, said) from error
        if type(answer) is not bool:
            raise _failed(named, item, f"an answer of type {type(answer).__name__}")
        return answer

    return asked


@contextmanager
def _here() -> Iterator[None]:
    """This folder is looked in too, as `python -m` does."""
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _bad(named: str, said: str) -> InputError:
    return InputError(
        "bad_rule",
        said,
        received=named,
        allowed="MODULE:FUNCTION, a module in this folder or one that is installed",
        next=f"For example {EXAMPLE}, with `def in_stock(item): return item['item'] in STOCK`.",
    )


def _failed(named: str, item: dict[str, Any], said: str) -> InputError:
    return InputError(
        "rule_failed",
        f"The rule {named} does not say whether an item may be listed.",
        received=f"{said}, for {item}",
        allowed="True or False of each item: item, title, categories, score",
        next="Mend the function, or leave --rule out.",
    )
