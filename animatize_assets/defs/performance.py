"""The performance room as a resource.

Belongs here: turning settings into the room's arguments. Does not belong here: any of its logic.
What is not given is read from the environment when a run starts.
See https://docs.dagster.io/guides/build/external-resources.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from animatize_assets.defs.from_settings import performance_room
from animatize_assets.defs.nvidia import NvidiaMonitorResource
from animatize_assets.settings import Settings

if TYPE_CHECKING:
    from animatize_assets.performance.opening import PerformanceRoom


class PerformanceResource(dg.ConfigurableResource["PerformanceResource"]):
    """Job records, estimators and what is learned from them."""

    nvidia: dg.ResourceDependency[NvidiaMonitorResource]
    data_dir: str | None = Field(
        default=None,
        description="Local folder of performance.db, mlflow.db and the spool; "
        "default: ANIMATIZE_DATA_DIR.",
    )

    def room(self) -> "PerformanceRoom":
        """Open the room; nothing is connected yet."""
        settings = Settings.read()
        if self.data_dir is not None:
            settings = settings.model_copy(update={"data_dir": Path(self.data_dir)})
        return performance_room(settings, self.nvidia.monitor())
