"""A code server goes on looking for dead workers after a look that failed.

It says so at once when the process of a run has ended without a word. Dagster's thread for it ends
with the first look at which the database was away or its disk full, silently; from then on the code
server takes every dead worker for a living one, and run monitoring believes it
(integration/test_full_disk.py). Here such a look is logged, and repeated at the next turn.

That leans on names that Dagster does not promise to keep, so any other version of Dagster than the
one it was tested with stays as it is.

Belongs here: that. Does not belong here: what else tells of a worker (``run_launcher``). The event
storages call it, because whoever starts a run has opened one.
"""

import logging
import sys
from collections.abc import Callable
from functools import wraps

import dagster as dg

SERVER, LOOK = "dagster._grpc.server", "_check_for_orphaned_runs"
_LOG = logging.getLogger(__name__)


def keep_looking(tested_with: str) -> None:
    """Have the code server of this process, if it is one, go on looking. Once is enough.

    ``tested_with``: the only version of Dagster that is touched.
    """
    server = sys.modules.get(SERVER)
    if server is None or dg.__version__ != tested_with:
        return
    look = getattr(server.DagsterApiServer, LOOK)
    if not hasattr(look, "__wrapped__"):
        setattr(server.DagsterApiServer, LOOK, _going_on(look))


def _going_on(look: Callable[[object], None]) -> Callable[[object], None]:
    @wraps(look)
    def tried(server: object) -> None:
        try:
            look(server)
        except Exception:  # noqa: BLE001  # of any database or disk; the next turn looks again
            _LOG.exception("Whether a worker is dead could not be told or noted; trying again.")

    return tried
