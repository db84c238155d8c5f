"""Why a stage has no result, as a person is told: the reason, what was tried, what to do.

Belongs here: turning an error into that, and the remedy of each kind of error. Does not belong
here: what follows from an error for the other stages (``stages``), how it is shown (``defs``).
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from animatize_assets.database.outages import is_outage
from animatize_assets.errors import FAILURE_KINDS, AnimatizeError, DiskNearlyFull
from animatize_assets.generation.attempts import NothingDelivered
from animatize_assets.images.disk_space import is_full
from animatize_assets.telemetry.tracing import error_type

AGAIN = "Run the image again: what is finished is kept."

REMEDIES: dict[str, str] = {
    "transient": f"{AGAIN} A provider that is down for longer shows in `animatize status`.",
    "rate_limited": "Run the image again later, or ask the provider for a higher limit.",
    "quota": "Top up the provider's account, then run the image again.",
    "refused_content": "Take another image or style, or another provider; "
    "ANIMATIZE_SHARE_REFUSED=true lets the others be asked.",
    "invalid_request": "Change what the message names; `animatize doctor` knows retired models.",
    "not_configured": "Set what the message names; `animatize doctor` checks it.",
    "ambiguous": "Run `animatize ledger reconcile` first: the picture may be there, and paid for.",
    "bad_output": f"{AGAIN} If it comes again, take another model.",
    "rendering": "Take another size; if it comes again, report it with the image.",
    "budget_exceeded": "Raise the limit that the message names, or wait for the next day (UTC).",
    "storage_failed": "See that the disk has room and the data folder can be written, then run the "
    "image again.",
    "disk_nearly_full": "Free some room. A Dagster daemon then goes on by itself; without one run "
    "the image again.",
    "image_not_found": "Ingest the image's file again.",
    "invalid_setting": "Correct the setting that the message names; see docs/settings.md.",
    "invalid_rule": "Correct the file that the message names.",
    "impossible_camera_path": "Take another size, or correct the movement rule.",
    "rendering_failed": "Take another size; if it comes again, report it with the image.",
}
"""Kind of a provider's failure, or code of another error -> what to do."""

OTHERWISE = f"{AGAIN} If it comes again, report it with the traceback in the run's log."

if missing := FAILURE_KINDS.keys() - REMEDIES.keys():
    raise AssertionError(f"stage_failures.REMEDIES has none for {sorted(missing)}.")


@dataclass(frozen=True)
class StageError:
    """Why a stage has no result: a stable code and one sentence."""

    code: str
    reason: str
    error_type: str
    traceback: str | None = None
    """Only of an exception that nobody expected."""
    kind: str = ""
    """What metrics count it as: the kind of a provider's failure, else the code."""
    attempts: tuple[str, ...] = ()
    """Every call that was made for it, a few words each."""
    remedy: str = ""
    """What to do; empty of a stage that failed only because another one did."""
    is_outage: bool = False
    """Whether a database was away: no fault of the image."""


def told(error: Exception) -> StageError:
    """Return what a person is told of ``error``.

    What did not fit on the disk is told as work that was not begun for want of room: it passes, and
    whoever goes on when there is room goes on with it.
    """
    no_room = DiskNearlyFull.code if is_full(error) else None
    kind, name = no_room or error_type(error), type(error).__name__
    remedy = REMEDIES.get(kind, OTHERWISE)
    if isinstance(error, AnimatizeError):
        return StageError(
            no_room or error.code,
            error.message,
            name,
            kind=kind,
            attempts=_attempts(error),
            remedy=remedy,
            is_outage=is_outage(error),
        )
    said = " ".join(str(error).split()) or "no message"
    return StageError(
        kind,
        f"{name}: {said}",
        name,
        "".join(traceback.format_exception(error)),
        kind=kind,
        remedy=remedy,
        is_outage=is_outage(error),
    )


def _attempts(error: AnimatizeError) -> tuple[str, ...]:
    if isinstance(error, NothingDelivered):
        return tuple(
            f"{each.provider} {each.model or '(not asked)'}: {each.reason or each.outcome} "
            f"after {each.seconds:.1f} s"
            for each in error.attempts
        )
    return ()
