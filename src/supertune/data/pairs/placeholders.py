"""What in a text is for a program and stays as it is: ``%s``, ``{name}``, ``<b>``, ``&lt;``."""

from __future__ import annotations

import re
from collections import Counter

_KINDS = (
    r"%(?:\(\w+\)|\d+\$)?[-+#0 ]?\d*(?:\.\d+)?[sdifgexXcrulSD](?![a-zA-Z])",  # printf
    r"%\d(?!\d)",  # Qt
    r"\$?\{[A-Za-z0-9_.:!,\- ]{0,40}\}\}?",  # format strings, templates
    r"\$\w+\$",
    r"</?[A-Za-z][A-Za-z0-9:_-]*(?:\s[^<>]{0,200})?/?>",  # tags
    r"&(?:[a-z]{2,8}|#\d{2,5});",  # entities
)
PATTERN = re.compile("|".join(f"(?:{kind})" for kind in _KINDS))


def of(text: str) -> Counter[str]:
    """How often each is in a text."""
    return Counter(PATTERN.findall(text))


def apart(text: str) -> list[tuple[str, bool]]:
    """A text in parts, and of each whether it is a placeholder."""
    found, at = [], 0
    for match in PATTERN.finditer(text):
        if match.start() > at:
            found.append((text[at : match.start()], False))
        found.append((match.group(), True))
        at = match.end()
    if at < len(text):
        found.append((text[at:], False))
    return found
