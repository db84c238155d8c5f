"""The asset ``cache_usage``: what the caches hold, once they are back within their bounds.

Belongs here: what it is called and what a person sees of it. Does not belong here: what is dropped
(``generation.result_store``), when (``housekeeping_schedules``, ``disk_sensor``).
"""

import dagster as dg

from animatize_assets.defs.assets import OWNERS
from animatize_assets.defs.provider_resources import PictureProviders
from animatize_assets.defs.resources import Stores
from animatize_assets.settings import Settings

GROUP = "housekeeping"
MEGA = 1_000_000


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds={"python"},
    code_version="1",
    description="The caches back within their bounds, what that dropped, and how large everything "
    "is that grows. What an asset points to is never dropped.",
)
def cache_usage(stores: Stores, picture_providers: PictureProviders) -> dg.MaterializeResult[None]:
    """Clean the caches and tell what they hold."""
    from animatize_assets.pipeline.source_opening import open_results  # noqa: PLC0415
    from animatize_assets.workplace.housekeeping import clean_caches  # noqa: PLC0415  # SQLAlchemy

    setup = picture_providers.setup()
    images, artifacts = stores.open()
    try:
        dropped = clean_caches(setup, artifacts, images)
        usage = open_results(setup, artifacts, images.engine).usage()
    finally:
        images.engine.dispose()
    return dg.MaterializeResult(
        metadata={
            "results": usage.entries,
            "megabytes": usage.bytes / MEGA,
            "limit_megabytes": usage.max_bytes / MEGA,
            "reused": usage.uses,
            "dropped": dg.MetadataValue.json(dropped),
            "sizes": dg.MetadataValue.md(_sizes()),
        }
    )


def _sizes() -> str:
    """Return the table of what grows, for people."""
    from animatize_assets.orchestration.home import home_of  # noqa: PLC0415
    from animatize_assets.workplace.opening import Workplace  # noqa: PLC0415  # SQLAlchemy
    from animatize_assets.workplace.sizes import read_sizes  # noqa: PLC0415  # SQLAlchemy

    settings = Settings.read()
    workplace = Workplace(settings)
    try:
        read = read_sizes(workplace, home_of(workplace.data_dir))
    finally:
        workplace.images.engine.dispose()
        workplace.performance.close()
    lines = ["| what | entries | MB | bound |", "|---|---:|---:|---|"]
    for each in read.growing:
        megabytes = "" if each.bytes is None else f"{each.bytes / MEGA:.1f}"
        lines.append(f"| {each.name} | {each.entries} | {megabytes} | {each.bound} |")
    return "\n".join(lines)


housekeeping_assets = (cache_usage,)
