"""What a person must be told of providers and of money.

Belongs here: rules over breaker states and spending, which others keep and hand in. Does not
belong here: rules over jobs and trends (``alerts``, ``trend_alerts``), the breakers and the ledger.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from animatize_assets.performance.alert_models import (
    AlertDraft,
    Judgement,
    ProviderState,
    Severity,
    Spending,
)

_BUDGET_STEPS: tuple[tuple[float, Severity], ...] = (
    (1.0, "critical"),
    (0.95, "high"),
    (0.9, "medium"),
    (0.8, "low"),
)
"""Share of the limit that is spent. At 1.0 the next paid call is refused."""

_ONLY_A_PERSON_HELPS = {
    "quota": "its quota is spent",
    "not_configured": "its key or account was refused",
}
"""Why a provider is left alone until somebody acts -> in words."""


def provider_down(states: Sequence[ProviderState]) -> Judgement:
    """Judge the breakers: high, or medium where waiting may help; critical when all are open."""
    down = [state for state in states if state.state == "open"]
    judged = Judgement()
    for state in states:
        if state.state == "closed":
            judged += Judgement.fine("provider_down", state.provider)
    for state in down:
        reason = state.reason or "unknown"
        needs_person = reason in _ONLY_A_PERSON_HELPS
        severity: Severity = "high" if needs_person else "medium"
        if len(down) == len(states):
            severity = "critical"
        remedy = (
            "see `animatize doctor --reach` for its key and its account"
            if needs_person
            else "pictures go to its fallbacks until a probe succeeds"
        )
        # A wrong key or an empty account counts at once, not only many times in a row.
        after = f" after {state.failures} failures in a row" if state.failures else ""
        judged += Judgement.bad(
            AlertDraft(
                alert_type="provider_down",
                subject=state.provider,
                severity=severity,
                message=f"Provider {state.provider} is left alone{after} "
                f"({_ONLY_A_PERSON_HELPS.get(reason, reason)}): {remedy}.",
                threshold_value=None,
                actual_value=float(state.failures),
                details={"provider": state.provider, "reason": state.reason},
            )
        )
    return judged


def budget(spending: Iterable[Spending]) -> Judgement:
    """Judge money: low from 80 % of a limit, medium from 90, high from 95, critical from 100."""
    judged = Judgement()
    for each in spending:
        share = each.spent_usd / each.limit_usd if each.limit_usd > 0 else math.inf
        severity = next((name for least, name in _BUDGET_STEPS if share >= least), None)
        if severity is None:
            judged += Judgement.fine("budget", each.limit_name)
            continue
        spent_of_limit = f"${each.spent_usd:.2f} of ${each.limit_usd:.2f}"
        then = "paid calls are refused" if share >= 1 else "paid calls will be refused at the limit"
        judged += Judgement.bad(
            AlertDraft(
                alert_type="budget",
                subject=each.limit_name,
                severity=severity,
                message=f"{spent_of_limit} of the limit '{each.limit_name}' is spent, and {then}: "
                "raise the limit, or choose a cheaper provider.",
                threshold_value=each.limit_usd,
                actual_value=each.spent_usd,
                details={"limit": each.limit_name},
            )
        )
    return judged
