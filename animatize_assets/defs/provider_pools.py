"""Places with a provider that all runs of a Dagster instance share: one Dagster pool each.

The step of a run makes many calls, to providers that only its configuration names, so the pool is
not the step's: a slot is claimed for each call and freed after it. Pools and their slots are shown
under Deployment, Concurrency; ``dagster instance concurrency set provider_flux 8`` changes one.

Belongs here: claiming and freeing. Does not belong here: waiting (``generation.station``), the
limit within one process (``generation.rate_limit``).
See https://docs.dagster.io/guides/operate/managing-concurrency.
"""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

_log = logging.getLogger(__name__)


def pool_of(provider: str) -> str:
    """Return the name of a provider's pool."""
    return f"provider_{provider}"


class ProviderPools:
    """The pools of an instance, as one run claims slots in them. For several threads at once."""

    def __init__(self, instance: dg.DagsterInstance, run_id: str) -> None:
        self._instance = instance
        self._storage = instance.event_log_storage
        self._run_id = run_id
        self._limited: set[str] = set()

    def claim(self, provider: str, place: str, limit: int) -> bool:
        """Try to claim a slot for the call ``place``; whether it is claimed now.

        Asked again for the same ``place`` it keeps its turn in the queue. A pool that has no limit
        yet gets ``limit``; one that a person has set stays as it is.
        """
        if not self._storage.supports_global_concurrency_limits:
            return True
        from sqlalchemy.exc import OperationalError  # noqa: PLC0415 - not to load the location

        pool = pool_of(provider)
        try:
            with self._one_process_at_a_time():
                self._give_limit(pool, limit)
                claim = self._storage.claim_concurrency_slot(pool, self._run_id, place)
        except OperationalError as error:  # SQLite: another process was writing at this moment
            _log.debug("The pool %s could not be asked: %s", pool, error.orig)
            return False
        return bool(claim.is_claimed)

    def free(self, place: str) -> None:
        """Free the slot of a call, or take it out of the queue."""
        if not self._storage.supports_global_concurrency_limits:
            return
        from sqlalchemy.exc import OperationalError  # noqa: PLC0415 - not to load the location

        try:
            self._storage.free_concurrency_slot_for_step(self._run_id, place)
        except OperationalError as error:  # no reason to lose the picture that was made
            _log.warning("A place stays taken until this run has ended: %s", error.orig)

    def free_ended(self) -> None:
        """Free what runs hold that have ended: a process that was killed frees nothing."""
        if not self._storage.supports_global_concurrency_limits:
            return
        from animatize_assets.orchestration import end_abandoned_runs  # noqa: PLC0415 - the same

        end_abandoned_runs(self._instance)
        for run_id in self._storage.get_concurrency_run_ids() - {self._run_id}:
            run = self._instance.get_run_by_id(run_id)
            if run is None or run.is_finished:
                self._storage.free_concurrency_slots_for_run(run_id)
                _log.warning("Run %s has ended; its places with providers are free.", run_id[:8])

    def _give_limit(self, pool: str, limit: int) -> None:
        if pool not in self._limited and pool not in self._storage.get_concurrency_keys():
            self._storage.set_concurrency_slots(pool, limit)
        self._limited.add(pool)

    @contextmanager
    def _one_process_at_a_time(self) -> Iterator[None]:
        """Dagster would make slots twice, and on SQLite give one to two who ask at once.

        It looks for a free slot and then takes it, which only PostgreSQL does in one step.
        """
        with (Path(self._instance.root_directory) / "pools.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
