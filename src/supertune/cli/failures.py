"""Any exception as a `SupertuneError`: code, what was received, what is allowed, what to do."""

from __future__ import annotations

import errno
import re

from typer import TyperException

from supertune.errors import EnvironmentFault, InputError, SupertuneError

_DISK = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


def explained(error: Exception) -> tuple[SupertuneError, bool]:
    """The error in words, and whether it is one that we knew could happen."""
    if isinstance(error, SupertuneError):
        return error, True
    if isinstance(error, TyperException):
        return _usage(error), True
    if isinstance(error, OSError) and (known := _machine(error)):
        return known, True
    if isinstance(error, ImportError) and error.name and not error.name.startswith("supertune"):
        return _package(error.name), True
    if isinstance(error, MemoryError):
        return _memory(), True
    return _unforeseen(error), False


def _usage(error: TyperException) -> InputError:
    context = getattr(error, "ctx", None)
    path = getattr(context, "command_path", "supertune")
    code = re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()
    message = " ".join(error.format_message().split())
    received = getattr(error, "option_name", None) or getattr(
        getattr(error, "param", None), "name", None
    )
    return InputError(
        "usage" if code in {"usage_error", "click_exception"} else code,
        message if message.endswith((".", "?", ")")) else f"{message}.",
        received=received,
        allowed=context.get_usage().removeprefix("Usage: ") if context is not None else None,
        next=f"`{path} --help` shows every option, and an example.",
    )


def _machine(error: OSError) -> EnvironmentFault | None:
    place = str(error.filename) if error.filename else None
    if error.errno in _DISK:
        return EnvironmentFault(
            "no_space",
            "There is no space left on the disk.",
            received=place,
            next="Free some space; `supertune cache show` says what supertune keeps.",
        )
    if error.errno in _DENIED:
        return EnvironmentFault(
            "permission_denied",
            "The system refused access.",
            received=f"{place or 'a file'}: {error.strerror}",
            next="Choose another place with -o, or change the permissions.",
        )
    return None


def _package(name: str) -> EnvironmentFault:
    top = name.split(".")[0]
    return EnvironmentFault(
        "package_missing",
        f"The Python package '{top}' is not installed.",
        received=name,
        next=f"pip install {top}; `supertune doctor` checks the rest.",
    )


def _memory() -> EnvironmentFault:
    return EnvironmentFault(
        "out_of_memory",
        "The machine has not enough memory for this.",
        next="Close other programs, take a smaller --backbone, or --set max_length=128.",
    )


def _unforeseen(error: Exception) -> SupertuneError:
    said = " ".join(str(error).split())[:300]
    return SupertuneError(
        "unexpected",
        f"supertune met an error that it does not know: {type(error).__name__}: {said}",
        next="Run the same command with -v and report what it prints, "
        "together with the output of `supertune doctor`.",
    )
