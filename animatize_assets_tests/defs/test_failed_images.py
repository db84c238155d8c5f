"""A failed image's message names why, every attempt, what to do and the trace."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from animatize_assets.defs.failed_images import summary, why
from animatize_assets.errors import BudgetExceeded, NotConfigured, ProviderError
from animatize_assets.generation.attempts import NothingDelivered
from animatize_assets.generation.models import Attempt
from animatize_assets.pipeline.stage_failures import OTHERWISE, REMEDIES, told
from animatize_assets.pipeline.stages import StageOutcome

TRACE = "0af7651916cd43dd8448eb211c80319c"


def attempt(provider: str, reason: str, seconds: float, model: str = "model-1") -> Attempt:
    return Attempt(
        provider=provider,
        model=model,
        started_at=datetime(2026, 6, 1, tzinfo=UTC),
        seconds=seconds,
        outcome="failed",
        reason=reason,
    )


def failed(error: Exception, trace_id: str | None = TRACE) -> StageOutcome:
    return StageOutcome(
        stage="generated_picture",
        image_key="a-picture-0123456789abcdef",
        status="failed",
        seconds=1.0,
        code_version="1",
        error=told(error),
        trace_id=trace_id,
    )


def test_everything_is_named() -> None:
    error = NothingDelivered(
        "No provider delivered the picture.",
        attempts=(attempt("flux", "transient", 2.0), attempt("openai", "quota", 0.0, "")),
        kind="transient",
    )
    reasons = why(failed(error))
    assert reasons == {
        "asset": "generated_picture",
        "code": "provider_error",
        "reason": "No provider delivered the picture.",
        "attempts": "flux model-1: transient after 2.0 s; openai (not asked): quota after 0.0 s",
        "remedy": REMEDIES["transient"],
        "trace": TRACE,
    }
    text = summary({"a-picture-0123456789abcdef": reasons}, 3)
    first, line = text.splitlines()
    assert first == "1 of 3 images failed; the others are complete."
    assert line.startswith("a-picture-0123456789abcdef: generated_picture: No provider")
    for part in (reasons["attempts"], reasons["remedy"], f"Trace {TRACE}."):
        assert part in line


def test_without_a_trace_none_is_named() -> None:
    reasons = why(failed(BudgetExceeded("It would pass the limit of $1."), trace_id=None))
    assert "trace" not in reasons
    assert "attempts" not in reasons
    assert "Trace" not in summary({"key": reasons}, 1)


@pytest.mark.parametrize(
    ("error", "kind", "remedy"),
    [
        (ProviderError("No.", kind="quota"), "quota", REMEDIES["quota"]),
        (NotConfigured("No key."), "not_configured", REMEDIES["not_configured"]),
        (KeyError("x"), "unexpected_error", OTHERWISE),
    ],
)
def test_each_kind_of_error_has_its_remedy(error: Exception, kind: str, remedy: str) -> None:
    found = told(error)
    assert (found.kind, found.remedy) == (kind, remedy)
    assert (found.traceback is not None) == isinstance(error, KeyError)
