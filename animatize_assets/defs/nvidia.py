"""NVIDIA's GPUs as a resource.

Belongs here: the field and its description. Does not belong here: reading devices
(``performance.nvml``), sampling (``performance.sampling``).
"""

import dagster as dg
from pydantic import Field

from animatize_assets.performance.nvml import NvidiaMonitor


class NvidiaMonitorResource(dg.ConfigurableResource["NvidiaMonitorResource"]):
    """Reads GPUs through NVML; without a GPU or a driver it reads none and says why."""

    is_exclusive: bool = Field(
        default=False,
        description="Nobody outside this container uses its GPUs, as with Kubernetes' device "
        "plugin: a device's figures may then count for a job although a container cannot compare "
        "process ids.",
    )

    def monitor(self) -> NvidiaMonitor:
        """Return a monitor; it opens the driver's library when it is first read."""
        return NvidiaMonitor(is_exclusive=self.is_exclusive)
