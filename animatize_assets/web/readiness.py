"""What must be there before a request can be answered, looked at one by one.

The answers are public, so they name no path and no address; the log has the whole error.

Belongs here: the checks. Does not belong here: how they are told (``routes.health``).
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy import Engine

from animatize_assets.database.migration import NEWEST_REVISION, revision_of
from animatize_assets.errors import AnimatizeError
from animatize_assets.web.service import Service

_log = logging.getLogger(__name__)

LEAST_FREE_BYTES: Final = 500_000_000
"""An upload of the largest size, its normalised pixels, and the databases' write-ahead logs."""


def faults(service: Service) -> dict[str, str]:
    """Return what is not ready -> why, one sentence; empty when all is."""
    found = {}
    for name, check in CHECKS.items():
        try:
            why = check(service)
        except AnimatizeError as error:
            _log.warning("Not ready: %s: %s", name, error.message)
            why = f"It cannot be used ({error.code}); the service's log says why."
        except Exception as error:  # noqa: BLE001  # whatever it is, it is what is not ready
            _log.warning("Not ready: %s", name, exc_info=error)
            why = f"It cannot be used ({type(error).__name__}); the service's log says why."
        if why is not None:
            found[name] = why
    return found


def _data_folder(service: Service) -> str | None:
    service.data_dir.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryFile(dir=service.data_dir) as file:
            file.write(b"x")
            file.flush()
    except OSError as error:
        return f"The data folder cannot be written: {error.strerror}."
    return None


def _disk(service: Service) -> str | None:
    free = shutil.disk_usage(service.data_dir).free
    if free >= LEAST_FREE_BYTES:
        return None
    return (
        f"The data folder's disk has {free / 1e6:.0f} MB left; at least "
        f"{LEAST_FREE_BYTES / 1e6:.0f} MB are needed."
    )


def _tokens(service: Service) -> str | None:
    service.access.tokens.tokens()
    return None


def _images(service: Service) -> str | None:
    return _schema(service.images.engine)


def _performance(service: Service) -> str | None:
    return _schema(service.performance.engine)


def _schema(engine: Engine) -> str | None:
    revision = revision_of(engine)
    if revision == NEWEST_REVISION:
        return None
    return f"Its schema is at revision {revision}; this version works with {NEWEST_REVISION}."


def _dagster(service: Service) -> str | None:
    from animatize_assets.orchestration import waiting_runs  # noqa: PLC0415  # a second

    waiting_runs(service.dagster)
    return None


CHECKS: Final[Mapping[str, Callable[[Service], str | None]]] = {
    "data folder": _data_folder,
    "disk": _disk,
    "access tokens": _tokens,
    "image database": _images,
    "performance database": _performance,
    "Dagster": _dagster,
}
"""What is looked at -> the check, which returns why it is not ready."""
