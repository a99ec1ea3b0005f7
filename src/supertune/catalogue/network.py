"""Whether there is a network, found out within two seconds and remembered for minutes."""

from __future__ import annotations

import os
import ssl
import threading
import time
import urllib.error
import urllib.request

from supertune.catalogue.places import cache_folder

PROBE_SECONDS = 2.0
REMEMBER_SECONDS = 300.0
OFFLINE = ("SUPERTUNE_OFFLINE",)
HUB_OFFLINE = (*OFFLINE, "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_NOTE = "hub-unreachable"


def switched_off(variables: tuple[str, ...] = OFFLINE) -> str | None:
    """Which environment variable says that the network is not to be used, in words."""
    for name in variables:
        if os.environ.get(name, "").strip().lower() in ("1", "true", "yes", "on"):
            return f"{name} switches it off"
    return None


def hub_unreachable(*, ask_again: bool = False) -> str | None:
    """Why the hub cannot be asked, or None when it can.

    Takes `PROBE_SECONDS` at most. That it cannot is remembered on disk for `REMEMBER_SECONDS`,
    for other processes too, unless ``ask_again``.
    """
    if why := switched_off(HUB_OFFLINE):
        return why
    from huggingface_hub import constants

    endpoint = constants.ENDPOINT
    if not ask_again and _remembered(endpoint):
        return "unreachable a moment ago"
    why = _probe(endpoint)
    note = cache_folder() / _NOTE
    try:
        if why is None:
            note.unlink(missing_ok=True)
        else:
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(endpoint, encoding="utf-8")
    except OSError:
        pass  # then it is asked again next time
    return why


def _remembered(endpoint: str) -> bool:
    note = cache_folder() / _NOTE
    try:
        age = time.time() - note.stat().st_mtime
        return 0 <= age < REMEMBER_SECONDS and note.read_text(encoding="utf-8") == endpoint
    except (OSError, ValueError):
        return False


def _probe(endpoint: str) -> str | None:
    """Ask in a thread: looking up a name may take far longer than any timeout says."""
    answers: list[str | None] = []
    asking = threading.Thread(target=lambda: answers.append(_ask(endpoint)), daemon=True)
    asking.start()
    asking.join(PROBE_SECONDS)
    return answers[0] if answers else f"unreachable (no answer within {PROBE_SECONDS:.0f} s)"


def _ask(endpoint: str) -> str | None:
    """Through a proxy if one is set, as the hub's own client would."""
    try:
        request = urllib.request.Request(endpoint, method="HEAD")
        urllib.request.urlopen(request, timeout=PROBE_SECONDS).close()
    except urllib.error.HTTPError as error:
        error.close()
        return None if error.code < 500 and error.code != 407 else f"unreachable ({error.code})"
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        # A certificate that Python does not trust may be one that the hub's client does.
        return None if isinstance(reason, ssl.SSLError) else f"unreachable ({reason})"
    return None
