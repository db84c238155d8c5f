"""The images as a list: pages of them, kept true while runs come and go.

The rows are written by the runs themselves (``pipeline.progress``). What a run that died left in
progress, and what was made before there were rows, is looked up in what is stored: a few images
with the request that finds them, all others in a thread.

Belongs here: when that is done. Does not belong here: the rows (``images.states``), HTTP.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

from animatize_assets.errors import AnimatizeError
from animatize_assets.images.states import ImagePage, ImageStates, ListedImage, Standing, Wanted
from animatize_assets.pipeline.model_files import digest_of_model_files
from animatize_assets.pipeline.progress import code_digest, look_up
from animatize_assets.pipeline.versions import code_versions
from animatize_assets.workplace.opening import Workplace

if TYPE_CHECKING:
    from animatize_assets.orchestration import DagsterInstance

_log = logging.getLogger(__name__)

LOOKED_UP_AT_ONCE: Final = 100
"""Images whose stored results are read in a row: a tenth of a second."""

ASK_DAGSTER_EVERY_S: Final = 2.0
"""Whether runs have ended is asked no oftener, however many pages are."""


class Gallery:
    """The list of images of one data folder. Threads may share it.

    ``dagster`` gives the instance that knows which runs go on. ``timer`` counts seconds.
    """

    def __init__(
        self,
        workplace: Workplace,
        dagster: Callable[[], DagsterInstance],
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._workplace = workplace
        self._dagster = dagster
        self._timer = timer
        self._asked_at: float | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def page(self, wanted: Wanted, *, before: int | None, limit: int) -> ImagePage:
        """Return ``limit`` images, newest first, that come after the cursor ``before``."""
        self.catch_up()
        return self._states.page(wanted, before=before, limit=limit)

    def counts(self) -> dict[str, int]:
        """Return how many images are in each state."""
        return {str(state): images for state, images in self._states.counts().items()}

    def line(self, image_key: str) -> ListedImage | None:
        """Return the line of one image; None when there is no such image."""
        self.catch_up()
        return self._states.of(image_key)

    def catch_up(self) -> None:
        """Bring rows up to date that nobody else will; another thread's doing so is enough."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._forget_ended_runs()
            if self._look_up_some() and (self._thread is None or not self._thread.is_alive()):
                self._thread = threading.Thread(
                    target=self._look_up_all, name="gallery", daemon=True
                )
                self._thread.start()
        finally:
            self._lock.release()

    def close(self) -> None:
        """Stop looking up; waits for the images at work."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    @cached_property
    def _states(self) -> ImageStates:
        settings = self._workplace.settings
        models = digest_of_model_files(settings.depth_model, settings.face_model)
        current = code_digest(code_versions(scene_models_digest=models))
        return ImageStates(self._workplace.images.engine, code_digest=current)

    def _forget_ended_runs(self) -> None:
        now = self._timer()
        if self._asked_at is not None and now - self._asked_at < ASK_DAGSTER_EVERY_S:
            return
        self._asked_at = now
        if not (runs := self._states.runs_in_progress()):
            return
        try:
            from animatize_assets.orchestration import ended_runs  # noqa: PLC0415  # a second

            ended = ended_runs(self._dagster(), runs)
        except Exception:  # noqa: BLE001  # the list is still right of all other images
            _log.exception("Whether runs have ended cannot be asked of Dagster.")
            return
        if ended:
            self._states.forget_runs(ended)

    def _look_up_some(self) -> bool:
        """Look up a few images; returns whether there may be more."""
        keys = self._states.unknown(LOOKED_UP_AT_ONCE)
        self._states.settle(self._looked_up(keys))
        return len(keys) == LOOKED_UP_AT_ONCE

    def _look_up_all(self) -> None:
        try:
            while not self._stop.is_set() and self._look_up_some():
                pass
        except Exception:  # noqa: BLE001  # a thread that dies tells nobody
            _log.exception("Images could not be looked up; the next request tries again.")

    def _looked_up(self, keys: Sequence[str]) -> list[Standing]:
        found = []
        for key in keys:
            try:
                found.append(look_up(self._workplace.artifacts, key))
            except AnimatizeError as error:
                found.append(Standing(key, "failed", reason=error.message))
        return found
