"""Which pair of languages is translated, as each family of translators is told it.

Bergamot and most Marian models know one pair. A Marian model of several targets reads ``>>pt<<``
before a source, M2M100 and NLLB (Fan et al. 2020, arXiv:2010.11125; NLLB team 2022,
arXiv:2207.04672) the token of its language, and the token of the other language is the first of
each translation. T5 (Raffel et al. 2020, arXiv:1910.10683) is told by a sentence before the source.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from supertune.backbones.transformers.translation.sides import Sides
from supertune.contracts import Encoding
from supertune.errors import InputError

SHOWN = 40  # languages that an error names
_CODE = re.compile(r"[a-z]{2,3}(_[A-Z][A-Za-z]{1,3})?")
_TASK = re.compile(r"translation_(\w+)_to_(\w+)")


def sides(name: str, tokenizer: Any, config: Any, encoding: Encoding) -> Sides:
    """How texts of both languages become tokens.

    Args:
        name: of the backbone.

    Raises:
        InputError: ``language_missing``, ``unknown_language``, ``prefix_missing``.
    """
    kind = str(config.model_type)
    if kind == "marian":
        return _of_one_source(name, tokenizer, encoding)
    if kind == "m2m_100":
        return _of_many(name, tokenizer, encoding)
    if kind == "bergamot":
        known = config.source_language, config.target_language
        pair = _one_pair(name, encoding, *map(str, known))
        return Sides(tokenizer, *pair, prefix=encoding.prefix or "")
    return _told(name, tokenizer, config, encoding)


def _of_one_source(name: str, tokenizer: Any, encoding: Encoding) -> Sides:
    """Marian: one source, and one target or several."""
    told = {code[2:-2]: code for code in getattr(tokenizer, "supported_language_codes", ())}
    source, target = (str(getattr(tokenizer, f"{side}_lang", None) or "")
                      for side in ("source", "target"))  # fmt: skip
    prefix = encoding.prefix or ""
    if not told:
        pair = _one_pair(name, encoding, source, target)
        return Sides(tokenizer, *pair, prefix=prefix)
    wanted = encoding.target_language
    if wanted is None:
        raise _missing(name, "target_language", sorted(told))
    if wanted not in told:
        raise _unknown(name, "target_language", wanted, sorted(told))
    first, _ = _one_pair(name, encoding, source, wanted)
    opening = (int(tokenizer.convert_tokens_to_ids(told[wanted])),)
    return Sides(tokenizer, first, wanted, prefix, opening)


def _of_many(name: str, tokenizer: Any, encoding: Encoding) -> Sides:
    """M2M100 and NLLB: any of their languages into any other."""
    known = codes(tokenizer)
    found = []
    for side in ("source", "target"):
        key = f"{side}_language"
        wanted = getattr(encoding, key)
        if wanted is None:
            raise _missing(name, key, sorted(known))
        if wanted not in known:
            raise _unknown(name, key, wanted, sorted(known))
        found.append(wanted)
    source, target = found
    first, forced = known[source], known[target]
    end = int(tokenizer.eos_token_id)
    # NLLB was first released with the language behind the text.
    behind = bool(getattr(tokenizer, "legacy_behaviour", False))
    opening, closing = ((), (end, first)) if behind else ((first,), (end,))
    return Sides(
        tokenizer, source, target, encoding.prefix or "", opening, closing, forced=(forced,)
    )


def codes(tokenizer: Any) -> dict[str, int]:
    """Tokens that stand for languages, by the codes of these."""
    known: Mapping[str, int] | None = getattr(tokenizer, "lang_code_to_id", None)
    if known:
        return {code: int(place) for code, place in known.items()}
    special = tokenizer.all_special_tokens
    return {
        code: int(tokenizer.convert_tokens_to_ids(code))
        for code in map(str, special)
        if _CODE.fullmatch(code)
    }


def _told(name: str, tokenizer: Any, config: Any, encoding: Encoding) -> Sides:
    """T5: by what it is told before a source."""
    source, target = encoding.source_language or "", encoding.target_language or ""
    if encoding.prefix is not None:
        return Sides(tokenizer, source, target, encoding.prefix)
    known = prefixes(getattr(config, "task_specific_params", None) or {})
    if not known:
        return Sides(tokenizer, source, target)
    if (source, target) in known:
        return Sides(tokenizer, source, target, known[source, target])
    raise InputError(
        "prefix_missing",
        f"{name} is told by a prefix what to do with a text, and knows none for this.",
        received=f"source_language {source or 'not said'}, target_language {target or 'not said'}",
        allowed="; ".join(f"{a} to {b}" for a, b in known)
        + "; any text as prefix, or an empty one",
        next="For example prefix='translate English to French: '.",
    )


def prefixes(tasks: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """The prefix of each pair of languages, as T5's configuration tells them."""
    found = {}
    for task, told in tasks.items():
        match = _TASK.fullmatch(task)
        if match and isinstance(told, Mapping) and "prefix" in told:
            found[match[1], match[2]] = str(told["prefix"])
    return found


def _one_pair(name: str, encoding: Encoding, source: str, target: str) -> tuple[str, str]:
    """The one pair of a model, checked against what was asked for."""
    found = []
    for side, known in (("source_language", source), ("target_language", target)):
        wanted = getattr(encoding, side)
        if known and wanted not in (None, known):
            raise _unknown(name, side, wanted, [known])
        found.append(known or wanted or "")
    return found[0], found[1]


def _missing(name: str, key: str, known: Sequence[str]) -> InputError:
    return InputError(
        "language_missing",
        f"{name} knows several languages, and {key} is not said.",
        received="nothing",
        allowed=_listed(known),
        next=f"For example --set {key}={known[0] if known else 'en'}.",
    )


def _unknown(name: str, key: str, wanted: str, known: Sequence[str]) -> InputError:
    return InputError(
        "unknown_language",
        f"{name} does not know this {key.replace('_', ' ')}.",
        received=wanted,
        allowed=_listed(known),
        next="Choose one of these, or another backbone: `supertune backbones`.",
    )


def _listed(known: Sequence[str]) -> str:
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    return ", ".join(known[:SHOWN]) + more
