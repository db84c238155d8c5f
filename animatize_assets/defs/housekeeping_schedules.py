"""When the workplace is kept from growing.

Belongs here: times. Does not belong here: what is done (``housekeeping_jobs``). Both schedules are
off until a person turns them on, in the UI or with ``dagster schedule start NAME``. The times are
those of ``ANIMATIZE_TIME_ZONE``. See https://docs.dagster.io/guides/automate/schedules.

======================= ================ ========================================================
schedule                runs             does
======================= ================ ========================================================
``daily_cache_cleanup`` every day 01:00  brings the caches back within their bounds
``daily_retention``     every day 01:15  archives untouched images; deletes old runs and records
======================= ================ ========================================================
"""

import dagster as dg

from animatize_assets.defs.housekeeping_jobs import clean_caches, keep_small

OFF = dg.DefaultScheduleStatus.STOPPED


def build_housekeeping_schedules(time_zone: str = "UTC") -> tuple[dg.ScheduleDefinition, ...]:
    """Make the schedules; ``time_zone``: the one in which they tell the time."""
    return (
        dg.ScheduleDefinition(
            name="daily_cache_cleanup",
            job=clean_caches,
            cron_schedule="0 1 * * *",
            execution_timezone=time_zone,
            description="Brings the caches back within their bounds.",
            default_status=OFF,
        ),
        dg.ScheduleDefinition(
            name="daily_retention",
            job=keep_small,
            cron_schedule="15 1 * * *",
            execution_timezone=time_zone,
            description="Archives untouched images; deletes old runs, records and results.",
            default_status=OFF,
        ),
    )
