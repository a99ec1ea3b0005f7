"""Workers of Ray, on this machine or on those of a cluster: calls that are begun and waited for."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from supertune.errors import EnvironmentFault, InputError, SupertuneError

LOCAL = "local"  # of `ray`: a cluster of this machine alone, for this run
RETRIES = 3  # of a call whose worker died
# Ray's own words for settings of Ray, unless the person has set them: no telemetry, and nothing
# printed of a worker that died, since one line here says what matters of it.
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": "worker died or was killed",
}
log = logging.getLogger("supertune")


@dataclass(frozen=True, eq=False)
class Cluster:
    """Attributes:
    threads: cores that a call takes; Ray gives as many threads to its libraries.
    cores: of all workers together.
    """

    ray: Any
    threads: int
    cores: int
    _remote: dict[Any, Any] = field(default_factory=dict)

    @property
    def ahead(self) -> int:
        """So many calls begun keep all workers busy while one is waited for."""
        return 2 * max(1, self.cores // self.threads)

    def share(self, value: Any) -> Any:
        """What many calls are given, sent to each machine once."""
        return self.ray.put(value)

    def begun(self, function: Callable[..., Any], *given: Any) -> Callable[[], Any]:
        """Begin ``function(*given)``, a function of a module; what comes back waits for the answer.

        A call whose worker died is begun again, `RETRIES` times.

        Raises (when waited for):
            EnvironmentFault: ``workers_died``.
            SupertuneError: as ``function`` raises it.
        """
        if function not in self._remote:
            self._remote[function] = self.ray.remote(num_cpus=self.threads, max_retries=0)(function)
        return partial(self._answer, function, given, self._remote[function].remote(*given))

    def _answer(self, function: Any, given: tuple[Any, ...], call: Any) -> Any:
        errors = self.ray.exceptions
        gone = (errors.WorkerCrashedError, errors.NodeDiedError, errors.OutOfMemoryError)
        for left in reversed(range(RETRIES + 1)):
            try:
                return self.ray.get(call)
            except gone as error:
                if not left:
                    raise _workers_died() from error
                log.warning("A worker died; what it was doing is begun again.")
                call = self._remote[function].remote(*given)
            except errors.RayTaskError as error:
                if isinstance(error.cause, SupertuneError):
                    raise error.cause from None
                raise
        raise AssertionError


@contextmanager
def cluster(address: str, workers: int | None, threads: int | None = None) -> Iterator[Cluster]:
    """Ray, started or joined, and left as it was found.

    Args:
        address: `LOCAL`, or of a cluster that runs: ``"auto"``, ``"head:6379"``.
        workers: of a local cluster; by default as many as there are cores for.
        threads: of a worker; 1 by default.

    Raises:
        EnvironmentFault: ``extra_missing`` without Ray, ``cluster_unreachable``.
        InputError: ``workers_of_cluster``.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise EnvironmentFault(
            "extra_missing",
            "Ray is not installed.",
            received=f"ray {address}",
            next='pip install "supertune[ray]", or leave --ray out.',
        ) from error
    if workers is not None and address != LOCAL:
        raise InputError(
            "workers_of_cluster",
            "A cluster that runs has the workers that it has.",
            received=f"ray {address}, workers {workers}",
            allowed="workers with ray 'local'",
            next="Leave --workers out.",
        )
    each = threads or 1
    cores = None if workers is None else workers * each
    how: dict[str, Any] = {"address": address} | ({} if address != LOCAL else {"num_cpus": cores})
    if ray.is_initialized():  # by the program that calls us, whose it stays
        yield _joined(ray, each)
        return
    try:
        joined = ray.init(
            include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR, **how
        )
    except ConnectionError as error:
        raise EnvironmentFault(
            "cluster_unreachable",
            f"No Ray cluster answers at {address}.",
            received=str(error).splitlines()[0],
            allowed="the address of a cluster that runs, or local",
            next="Start one with `ray start --head`, or say --ray local.",
        ) from error
    with joined:
        yield _joined(ray, each)


def _joined(ray: Any, threads: int) -> Cluster:
    return Cluster(ray, threads, int(ray.cluster_resources().get("CPU", 1)))


def _workers_died() -> EnvironmentFault:
    return EnvironmentFault(
        "workers_died",
        f"The same work was begun {RETRIES + 1} times, and each time its worker died.",
        received="workers that ended by themselves or were killed",
        allowed="workers that live to answer",
        next="Most often memory is short: take fewer --workers, or a smaller backbone.",
    )
