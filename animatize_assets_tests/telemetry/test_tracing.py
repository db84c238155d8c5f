"""Spans belong together across processes, and tell of an error what may be told."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import StatusCode

from animatize_assets.errors import BudgetExceeded, ProviderError
from animatize_assets.telemetry import tracing
from animatize_assets_tests.telemetry.spans import attributes, linked, watched

W3C = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]")


def test_outside_of_any_span_there_is_no_trace() -> None:
    assert tracing.current_traceparent() is None
    assert tracing.current_trace_id() is None
    assert tracing.current_span_id() is None


def test_a_trace_goes_on_where_its_context_was_carried_to() -> None:
    with watched() as spans:
        with tracing.span("upload") as upload:
            carried = tracing.current_traceparent()
        assert carried is not None
        assert W3C.fullmatch(carried)
        assert len(carried) == tracing.TRACEPARENT_LENGTH
        with tracing.span("elsewhere", parent=carried):
            assert tracing.current_trace_id() == carried.split("-")[1]
    parent = spans.named("elsewhere").parent
    assert parent is not None
    assert parent.span_id == upload.get_span_context().span_id


@given(st.text())
def test_what_is_no_context_begins_a_trace(text: str) -> None:
    with watched() as spans, tracing.span("alone", parent=text):
        pass
    assert W3C.fullmatch(text) or spans.named("alone").parent is None


def test_a_trail_is_current_only_within_its_steps() -> None:
    with watched() as spans, tracing.trail("image") as trail:
        assert tracing.current_trace_id() is None
        with trail.step("first"):
            assert tracing.current_trace_id() == trail.trace_id
        assert tracing.current_trace_id() is None
        with trail.step("second"):
            pass
    assert spans.above(spans.named("first")) == spans.above(spans.named("second")) == ["image"]


def test_a_trail_is_linked_to_the_span_around_it() -> None:
    with watched() as spans, tracing.span("run") as run, tracing.trail("image"):
        pass
    image = spans.named("image")
    assert image.parent is None
    assert linked(image) == [run.get_span_context().span_id]


@pytest.mark.parametrize(
    ("error", "error_type", "told"),
    [
        (ProviderError("It is down.", kind="transient"), "transient", "It is down."),
        (BudgetExceeded("It costs too much."), "budget_exceeded", "It costs too much."),
        (KeyError("a secret"), "unexpected_error", "KeyError"),
    ],
)
def test_an_error_is_told_by_its_code(error: Exception, error_type: str, told: str) -> None:
    with watched() as spans, pytest.raises(type(error)), tracing.span("work"):
        raise error
    span = spans.named("work")
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == told
    assert attributes(span) == {"error.type": error_type}
    assert not span.events


def test_what_is_not_known_is_no_attribute() -> None:
    with watched() as spans, tracing.span("work", {"a": 1, "b": None}):
        tracing.describe({"c": None, "d": "x"})
    assert attributes(spans.named("work")) == {"a": 1, "d": "x"}
