"""The key to a server: from the environment, else from the person's keyring; read, never written.

The package keyring speaks to what the system keeps passwords in (macOS Keychain, Windows Credential
Locker, Secret Service). It is asked where it is installed, for `service` and `NAME`.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from urllib.parse import urlsplit

KEY = "OPENAI_API_KEY"
NAME = "key"  # the user name under which a service's key is kept


def service(url: str) -> str:
    """The name of a server in a keyring, such as ``supertune:api.openai.com``."""
    return f"supertune:{urlsplit(url).netloc}"


def found(url: str) -> str:
    """The key to a server; empty where there is none."""
    return os.environ.get(KEY) or _kept(url)


def _kept(url: str) -> str:
    if find_spec("keyring") is None:
        return ""
    import keyring
    from keyring.errors import KeyringError

    try:
        return keyring.get_password(service(url), NAME) or ""
    except KeyringError:  # none on this machine, or locked
        return ""


def ways(url: str) -> str:
    """How a key can be given, for people."""
    return f"export {KEY}=…, or `keyring set {service(url)} {NAME}` (pip install keyring)"
