"""Runs that begin nothing because the disk has too little room.

Belongs here: the check at the start of a step, and the tag that tells of it. Does not belong here:
the limit (``images.disk_space``), going on (``disk_sensor``).
"""

from collections.abc import Iterable, Mapping

import dagster as dg

from animatize_assets.errors import DiskNearlyFull
from animatize_assets.images.disk_space import DiskSpace

STOPPED_TAG = "animatize/stopped_by"
"""Tag of a run that ended because of something that passes: the code of its error."""

_STOPPED = {STOPPED_TAG: DiskNearlyFull.code}


def begin_with_room(
    context: dg.OpExecutionContext | dg.AssetExecutionContext, disk: DiskSpace
) -> None:
    """Return when the step may begin.

    Raises:
        dg.Failure: there is too little room; one sentence says where and what to do.

    """
    try:
        disk.check()
    except DiskNearlyFull as error:
        context.instance.add_run_tags(context.run.run_id, _STOPPED)
        raise dg.Failure(error.message, allow_retries=False) from error


def stopped_tags(failed: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return the tag of a run of whose images one was not begun for want of room; else none.

    ``failed``: of each failed image, what is told of it.
    """
    is_stopped = any(told.get("code") == DiskNearlyFull.code for told in failed)
    return dict(_STOPPED) if is_stopped else {}
