"""Where a package's file lies on the index that the person's own package client is set up with.

No address is written here: a company's mirror is used as pip and npm use it.
"""

from __future__ import annotations

import base64
import functools
import html
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPResponse
from typing import Any, cast

from supertune.catalogue.entry import Package

TIMEOUT = 20.0  # seconds that a server may be silent
_ASK = 60.0  # seconds for the client to say what it is set up with
_JSON = "application/vnd.pypi.simple.v1+json"


def address(package: Package) -> str:
    """The URL of the package's file.

    Raises:
        ValueError: the client is missing or the index does not list the file.
        OSError: the index cannot be reached.
    """
    if package.registry == "npm":
        bare = package.name.rsplit("/", 1)[-1]
        return f"{npm_registry()}/{package.name}/-/{bare}-{package.version}.tgz"
    if package.registry == "debian":
        return _apt(package)
    indexes = pip_indexes()
    problem: Exception = ValueError("pip is set up without an index")
    for index in indexes:
        try:
            return _listed(f"{index.rstrip('/')}/{package.name}/", package.file)
        except (OSError, ValueError) as error:
            problem = error
    raise problem


def _apt(package: Package) -> str:
    """Where apt would fetch the package; nothing is installed."""
    client = shutil.which("apt-get")
    if client is None:
        raise ValueError("apt-get is not installed, which knows where Debian's packages are")
    wanted = f"{package.name}={package.version}"
    command = [client, "--print-uris", "download", wanted]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_ASK)
    found = re.search(r"^'(\S+)'", done.stdout, re.MULTILINE)
    if found is None:
        said = (done.stderr.strip().splitlines() or ["apt-get names no address"])[-1]
        raise ValueError(f"{said}; `apt-get update` renews what it knows")
    return found.group(1)


def _listed(page: str, file: str) -> str:
    """The link to ``file`` on a package's page, in either of the forms of PEP 503 and 691."""
    with get(page, {"Accept": f"{_JSON}, text/html;q=0.5"}) as answer:
        kind, body = answer.headers.get("Content-Type", ""), answer.read()
    if "json" in kind:
        listed: dict[str, Any] = json.loads(body)
        links = {str(one["filename"]): str(one["url"]) for one in listed["files"]}
    else:
        found = re.findall(r"""href\s*=\s*["']([^"']+)""", body.decode("utf-8", "replace"))
        hrefs = [html.unescape(one).split("#")[0] for one in found]
        links = {urllib.parse.unquote(one.rsplit("/", 1)[-1]): one for one in hrefs}
    if file not in links:
        raise ValueError(f"the index does not list {file}")
    return _with_login(page, urllib.parse.urljoin(page, links[file]))


def _with_login(page: str, link: str) -> str:
    """The page's user and password for a link on the same server, as pip does it."""
    here, there = urllib.parse.urlsplit(page), urllib.parse.urlsplit(link)
    same = here.hostname == there.hostname and here.port == there.port
    if "@" in here.netloc and "@" not in there.netloc and same:
        return urllib.parse.urlunsplit(there._replace(netloc=here.netloc))
    return link


def get(
    url: str, headers: dict[str, str], *, method: str = "GET", timeout: float = TIMEOUT
) -> HTTPResponse:
    """The opened answer of a server; ``timeout`` is how long it may be silent, in seconds.

    Raises:
        ValueError: an address that is not http(s).
        OSError: no answer, or one that says no (`urllib.error.HTTPError`).
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"not an address on a network: {parts.scheme}")
    login, _, server = parts.netloc.rpartition("@")
    bare = urllib.parse.urlunsplit(parts._replace(netloc=server))
    request = urllib.request.Request(bare, headers={"User-Agent": "supertune", **headers})
    request.method = method
    if login:  # not passed on where the server redirects to another one
        coded = base64.b64encode(urllib.parse.unquote(login).encode()).decode("ascii")
        request.add_unredirected_header("Authorization", f"Basic {coded}")
    try:
        opened = urllib.request.urlopen(request, timeout=timeout, context=_certificates())
    except urllib.error.HTTPError as error:
        error.close()  # only its code is of use
        raise
    return cast(HTTPResponse, opened)


def _certificates() -> ssl.SSLContext:
    """Whom to trust: what pip is told to, else what Python does."""
    return ssl.create_default_context(cafile=os.environ.get("PIP_CERT") or None)


def pip_indexes() -> tuple[str, ...]:
    """The indexes that pip asks, the main one first.

    Raises:
        ValueError: pip is missing, or told to ask none.
    """
    if os.environ.get("PIP_NO_INDEX", "").lower() in ("1", "true", "yes", "on"):
        raise ValueError("PIP_NO_INDEX tells pip to ask no index")
    given = (os.environ.get(name) for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"))
    main = next(filter(None, given), None) or _pip_default()
    return (main, *os.environ.get("PIP_EXTRA_INDEX_URL", "").split())


@functools.cache
def _pip_default() -> str:
    """pip's own help page names the index it is set up with, from whatever file that comes."""
    command = [sys.executable, "-m", "pip", "download", "--help"]
    # Wide, so that no address is broken over two lines.
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_ASK, env={**os.environ, "COLUMNS": "999"}
    )
    shown = re.sub(r"\s+", " ", done.stdout.split("--index-url", 1)[-1])
    found = re.search(r"\(default:? (\S+?)\)", shown)
    if found is None:
        raise ValueError("pip is not installed here, or does not say which index it uses")
    return found.group(1)


def npm_registry() -> str:
    """The registry that npm asks.

    Raises:
        ValueError: npm is missing.
    """
    if os.environ.get("NPM_CONFIG_REGISTRY"):
        return os.environ["NPM_CONFIG_REGISTRY"].rstrip("/")
    client = shutil.which("npm")
    if client is None:
        raise ValueError("npm is not installed, and NPM_CONFIG_REGISTRY names no registry")
    command = [client, "config", "get", "registry"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_ASK)
    if not done.stdout.strip().startswith("http"):
        raise ValueError("npm does not say which registry it uses")
    return done.stdout.strip().rstrip("/")
