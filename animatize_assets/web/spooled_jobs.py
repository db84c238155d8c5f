"""Job records on the disk, written to the database soon after it takes records again.

Every process that opens the job records does that for those that wait. The service has
acknowledged some of them, so it does not leave them to whoever comes by next.

Belongs here: when it looks. Does not belong here: the spool and its import (``performance``).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

_log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 5.0
"""As long as a recorder leaves a database alone that failed (``performance.recording.RETRY_S``)."""


class SpooledJobs:
    """Calls ``import_spooled`` again and again, in a thread of its own."""

    def __init__(
        self, import_spooled: Callable[[], object], *, look_every_s: float = LOOK_EVERY_S
    ) -> None:
        self._import = import_spooled
        self._look_every_s = look_every_s
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="spooled-jobs", daemon=True)

    def start(self) -> None:
        """Begin to look: at once, and then every few seconds."""
        self._thread.start()

    def close(self) -> None:
        """Look no more; what still waits is found by the next process."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        while True:
            try:
                self._import()
            except Exception:  # noqa: BLE001  # a thread that dies tells nobody; it looks again
                _log.exception("Job records that wait on the disk could not be written.")
            if self._end.wait(self._look_every_s):
                return
