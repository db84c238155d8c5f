"""What alert rules are given and what they return.

Belongs here: the records. Does not belong here: the rules (``alerts``, ``trend_alerts``), stored
alerts (``models.AlertRecord``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from animatize_assets.performance.models import Count, ExtraValue
from animatize_assets.records import Record

AlertType = Literal[
    "slow_generation",
    "high_failure_rate",
    "resource",
    "accuracy_drift",
    "provider_down",
    "budget",
    "run_failed",
    "run_stuck",
]
Severity = Literal["low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")
"""Mildest first."""

RUNBOOK: Mapping[AlertType, str] = {
    "slow_generation": "animatizepicturesslow",
    "high_failure_rate": "animatizejobsfailing",
    "resource": "memory-cpu-or-gpu-is-the-limit",
    "accuracy_drift": "animatizeestimatesoff",
    "provider_down": "animatizeproviderdown",
    "budget": "animatizebudgetnearlyspent",
    "run_failed": "a-run-failed",
    "run_stuck": "a-run-hangs",
}
"""Type of alert -> its section of docs/runbook.md, as its headings are named in links."""

Usd = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def fingerprint_of(alert_type: AlertType, subject: str) -> str:
    """Return what makes two alerts the same: their type and what they are about."""
    return hashlib.sha256(f"{alert_type}\n{subject}".encode()).hexdigest()


def runbook_of(alert_type: str) -> str:
    """Return where the repository tells what to do about such an alert.

    A type of an earlier version, which stands in old rows only, leads to the page's beginning.
    """
    section = {str(name): anchor for name, anchor in RUNBOOK.items()}.get(alert_type)
    return "docs/runbook.md" + (f"#{section}" if section else "")


class AlertDraft(Record):
    """Something that a person must be told."""

    alert_type: AlertType
    subject: str = Field(description="what it is about: a pipeline, a worker, a provider, a limit")
    severity: Severity
    message: str = Field(description="one sentence with the numbers and the remedy")
    threshold_value: float | None = Field(description="None where there is no number to exceed")
    actual_value: float | None
    details: Mapping[str, ExtraValue | list[str]] = {}

    @property
    def fingerprint(self) -> str:
        """What makes two alerts the same."""
        return fingerprint_of(self.alert_type, self.subject)


class Judgement(Record):
    """What rules said. What they could not judge is in neither list: its alert stays as it is."""

    drafts: tuple[AlertDraft, ...] = ()
    cleared: tuple[str, ...] = Field(
        default=(), description="fingerprints of alerts whose condition is surely gone"
    )

    @classmethod
    def bad(cls, draft: AlertDraft) -> Judgement:
        """Say that something is wrong."""
        return cls(drafts=(draft,))

    @classmethod
    def fine(cls, alert_type: AlertType, subject: str) -> Judgement:
        """Say that something was looked at and is right."""
        return cls(cleared=(fingerprint_of(alert_type, subject),))

    @classmethod
    def of(cls, *judgements: Judgement) -> Judgement:
        """Put judgements together."""
        return cls(
            drafts=tuple(draft for each in judgements for draft in each.drafts),
            cleared=tuple(name for each in judgements for name in each.cleared),
        )

    def __add__(self, other: Judgement) -> Judgement:
        return Judgement.of(self, other)


class ProviderState(Record):
    """A provider's circuit breaker, as whoever keeps it tells."""

    provider: str
    state: Literal["closed", "open", "half_open"]
    failures: Count = Field(default=0, description="bad calls in a row")
    reason: str | None = Field(default=None, description="kind of the failure that opened it")


class Spending(Record):
    """What is spent of a limit."""

    limit_name: str = Field(description="such as 'day' or 'openai a day'")
    spent_usd: Usd
    limit_usd: Usd
