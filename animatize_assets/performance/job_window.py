"""The jobs of a period with those from before it, read from the database once.

Belongs here: that reading. Does not belong here: which period (``analyzer``), what the jobs tell.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from animatize_assets.performance.models import PipelineType
from animatize_assets.performance.store import PerformanceStore

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class JobWindow:
    """Tables as ``PerformanceStore.frame`` returns them, in the order in which the jobs ended."""

    since: datetime
    until: datetime
    jobs: pd.DataFrame
    """Those that ended from ``since`` (inclusive) to ``until`` (exclusive)."""
    earlier: pd.DataFrame
    """Those that ended before, to compare with."""

    @classmethod
    def read(
        cls, store: PerformanceStore, since: datetime, until: datetime, *, earlier: timedelta
    ) -> JobWindow:
        """Read a period, and as long before it as ``earlier`` says."""
        both = store.frame(since=since - earlier, until=until)
        begin = int((both["finished_at"] < since).sum())
        return cls(since, until, both.iloc[begin:], both.iloc[:begin])

    def of(self, pipeline_type: PipelineType | None) -> JobWindow:
        """Return the period with only one pipeline's jobs; None: all. Those before it all stay."""
        if pipeline_type is None:
            return self
        return replace(self, jobs=self.jobs[self.jobs["pipeline_type"] == pipeline_type])

    def from_earlier(self, since: datetime) -> pd.DataFrame:
        """Return the jobs from ``since`` on, a moment before the period, up to its end."""
        import pandas as pd

        before = self.earlier[self.earlier["finished_at"] >= since]
        return pd.concat([before, self.jobs])
