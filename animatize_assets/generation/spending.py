"""Sums over the ledger: what was spent, and what past calls teach about the next ones.

Belongs here: reading the ledger's rows in bulk. Does not belong here: writing them (``ledger``),
what is made of the history (``quote``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, Engine, Float, case, cast, func, select

from animatize_assets.database.tables import generation_calls
from animatize_assets.generation.money import to_usd

_calls = generation_calls.c
_SPENT = func.coalesce(_calls.cost_nanousd, _calls.expected_nanousd, 0)
"""What is billed where it is known, else the most that the call may cost."""


@dataclass(frozen=True)
class Totals:
    """What one provider's calls came to."""

    provider: str
    calls: int
    settled: int
    failed: int
    open: int
    written_off: int
    billed_usd: float
    """Known to be billed, failed calls included."""
    possible_usd: float
    """May have been billed besides: open, written off, or delivered without a known cost."""
    unknown: int
    """Calls that may have been billed and have no known price: they are in neither sum."""


@dataclass(frozen=True)
class CallHistory:
    """How one provider's past calls for pictures went. Calls still in work are not counted."""

    delivered: int
    failed: int
    """Calls that delivered nothing, the ones that may have been billed included."""
    billed_failures: int
    """Those of the failed ones that were billed, or may have been."""
    priced: int = 0
    """Delivered calls of which both the cost and what was expected are known and not 0."""
    cost_ratio: float = 1.0
    """Their mean of cost over expected cost; 1.0 when there are none."""
    cost_ratio_sd: float = 0.0
    """The standard deviation of the same."""


def totals(
    engine: Engine, *, since: datetime | None = None, run_id: str | None = None
) -> tuple[Totals, ...]:
    """Return the sums per provider over the calls opened since ``since``, by its name."""
    cost, expected = _calls.cost_nanousd, _calls.expected_nanousd
    query = (
        select(
            _calls.provider,
            func.count().label("calls"),
            *(
                func.sum(case((_calls.state == name, 1), else_=0)).label(name)
                for name in ("settled", "failed", "open", "written_off")
            ),
            func.coalesce(func.sum(cost), 0).label("billed"),
            func.sum(case((cost.is_(None), func.coalesce(expected, 0)), else_=0)).label("possible"),
            func.sum(case((cost.is_(None) & expected.is_(None), 1), else_=0)).label("unknown"),
        )
        .where(*calls_in(since=since, run_id=run_id))
        .group_by(_calls.provider)
        .order_by(_calls.provider)
    )
    with engine.connect() as connection:
        return tuple(
            Totals(
                provider=row.provider,
                calls=int(row.calls),
                settled=int(row.settled),
                failed=int(row.failed),
                open=int(row.open),
                written_off=int(row.written_off),
                billed_usd=to_usd(int(row.billed)),
                possible_usd=to_usd(int(row.possible)),
                unknown=int(row.unknown),
            )
            for row in connection.execute(query)
        )


def call_history(engine: Engine, *, since: datetime | None = None) -> dict[str, CallHistory]:
    """Return per provider how the calls for pictures opened since ``since`` went."""
    settled, failed = _calls.state == "settled", _calls.state == "failed"
    # An open row with a failure is an answer that was lost: it may have been billed.
    lost = (_calls.state.in_(("open", "written_off"))) & _calls.failure.is_not(None)
    billed = (failed & (_calls.cost_nanousd > 0)) | lost
    priced = settled & (_calls.cost_nanousd > 0) & (_calls.expected_nanousd > 0)
    ratio = cast(_calls.cost_nanousd, Float) / cast(_calls.expected_nanousd, Float)
    query = (
        select(
            _calls.provider,
            func.sum(case((settled, 1), else_=0)).label("delivered"),
            func.sum(case((failed | lost, 1), else_=0)).label("failed"),
            func.sum(case((billed, 1), else_=0)).label("billed"),
            func.sum(case((priced, 1), else_=0)).label("priced"),
            func.avg(case((priced, ratio))).label("mean"),
            func.avg(case((priced, ratio * ratio))).label("mean_square"),
        )
        .where(_calls.purpose == "picture", *calls_in(since=since))
        .group_by(_calls.provider)
    )
    history: dict[str, CallHistory] = {}
    with engine.connect() as connection:
        for row in connection.execute(query):
            mean = 1.0 if row.mean is None else float(row.mean)
            mean_square = mean**2 if row.mean_square is None else float(row.mean_square)
            history[row.provider] = CallHistory(
                delivered=int(row.delivered),
                failed=int(row.failed),
                billed_failures=int(row.billed),
                priced=int(row.priced),
                cost_ratio=mean,
                cost_ratio_sd=max(mean_square - mean**2, 0.0) ** 0.5,
            )
    return history


def calls_in(
    *, since: datetime | None = None, provider: str | None = None, run_id: str | None = None
) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that select the calls of a time, a provider and a run."""
    where: list[ColumnElement[bool]] = []
    if since is not None:
        where.append(_calls.opened_at >= since.astimezone(UTC))
    if provider is not None:
        where.append(_calls.provider == provider)
    if run_id is not None:
        where.append(_calls.run_id == run_id)
    return tuple(where)


def spent_nanousd(connection: Connection, where: tuple[ColumnElement[bool], ...]) -> int:
    """Return what the selected calls cost or may cost, in billionths of a dollar."""
    return int(connection.scalar(select(func.coalesce(func.sum(_SPENT), 0)).where(*where)) or 0)


def in_utc(stored: datetime) -> datetime:
    """Return a stored time with its zone: SQLite keeps none, and every time is stored as UTC."""
    return stored.replace(tzinfo=UTC) if stored.tzinfo is None else stored.astimezone(UTC)
