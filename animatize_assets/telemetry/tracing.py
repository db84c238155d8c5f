"""One trace per image: from its upload through every stage to the call of a provider.

An image remembers the trace in which it was taken in, as a W3C ``traceparent``; whoever works on it
later, in another process, continues that trace. Without an OpenTelemetry SDK in the process every
span does nothing, and what has no trace remembers none.

Belongs here: beginning spans, naming attributes, the trace context as text. Does not belong here:
an SDK, exporters (``export``), where a context is kept (``images``, ``prompts``).
See https://www.w3.org/TR/trace-context/ and
https://opentelemetry.io/docs/specs/semconv/general/trace/.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from animatize_assets import __version__
from animatize_assets.errors import AnimatizeError, ProviderError
from animatize_assets.telemetry.gen_ai import ERROR_TYPE

RUN_ID = "animatize.run.id"
IMAGE_KEY = "animatize.image.key"
JOB_ID = "animatize.job.id"
BATCH_KEY = "animatize.batch.key"
STAGE_STATUS = "animatize.stage.status"
INGEST_STATUS = "animatize.ingest.status"
"""Attributes of spans. They may take any number of values, which those of metrics may not."""

TRACEPARENT = "traceparent"
"""The name of the W3C header, and of everything that carries what it says."""

TRACEPARENT_LENGTH = 55
"""Of version 00: ``00-<32 hex>-<16 hex>-<2 hex>``."""

Value = str | bool | int | float

_tracer = trace.get_tracer("animatize_assets", __version__)
_w3c = TraceContextTextMapPropagator()


@contextmanager
def span(
    name: str,
    attributes: Mapping[str, Value | None] | None = None,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    parent: str | None = None,
    links: Sequence[str | None] = (),
) -> Iterator[Span]:
    """Make the block a span, the current one within it.

    ``parent``: the traceparent to continue; None: the current span's trace. ``links``: traceparents
    of others that it belongs to. An error that leaves the block is the span's, with its stable
    code.
    """
    with (
        trace.use_span(
            _tracer.start_span(
                name,
                context=_context_of(parent) if parent else None,
                kind=kind,
                attributes=_known(attributes),
                links=_links(links),
            ),
            end_on_exit=True,
            record_exception=False,
            set_status_on_exception=False,
        ) as begun,
        _errors_of(begun),
    ):
        yield begun


class Trail:
    """A span around steps that do not follow each other without a break.

    It is the current span only within its steps, so that a generator may yield between them.
    """

    def __init__(self, begun: Span) -> None:
        self._span = begun

    @property
    def trace_id(self) -> str | None:
        """32 hex digits; None when nothing is traced."""
        return _trace_id(self._span)

    @contextmanager
    def step(
        self, name: str, attributes: Mapping[str, Value | None] | None = None
    ) -> Iterator[Span]:
        """Make the block a span below this one, the current one within it."""
        with trace.use_span(self._span, end_on_exit=False), span(name, attributes) as begun:
            yield begun


@contextmanager
def trail(
    name: str,
    attributes: Mapping[str, Value | None] | None = None,
    *,
    parent: str | None = None,
) -> Iterator[Trail]:
    """Begin a trail that ends with the block.

    It continues the trace of ``parent``, or begins one; the current span is linked to.
    """
    begun = _tracer.start_span(
        name,
        context=_context_of(parent),
        attributes=_known(attributes),
        links=_links([current_traceparent()]),
    )
    try:
        yield Trail(begun)
    finally:
        begun.end()


def describe(attributes: Mapping[str, Value | None]) -> None:
    """Tell more of the current span; what is None is not told."""
    trace.get_current_span().set_attributes(_known(attributes))


def link_to(traceparent: str | None) -> None:
    """Link the current span to another one."""
    for link in _links([traceparent]):
        trace.get_current_span().add_link(link.context)


def current_traceparent() -> str | None:
    """Return the current span as a W3C traceparent; None when nothing is traced."""
    carrier: dict[str, str] = {}
    _w3c.inject(carrier)
    return carrier.get(TRACEPARENT)


def current_trace_id() -> str | None:
    """Return the trace's id, 32 hex digits; None when nothing is traced."""
    return _trace_id(trace.get_current_span())


def current_span_id() -> str | None:
    """Return the current span's id, 16 hex digits; None when nothing is traced."""
    context = trace.get_current_span().get_span_context()
    return trace.format_span_id(context.span_id) if context.is_valid else None


def _trace_id(begun: Span) -> str | None:
    context = begun.get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


@contextmanager
def _errors_of(begun: Span) -> Iterator[None]:
    """Tell the span of an error that leaves the block: its code, and the sentence of ours.

    What an error of somebody else's says is not told: it may hold anything.
    """
    try:
        yield
    except Exception as error:
        begun.set_attribute(ERROR_TYPE, error_type(error))
        told = error.message if isinstance(error, AnimatizeError) else type(error).__name__
        begun.set_status(Status(StatusCode.ERROR, told))
        raise


def error_type(error: Exception) -> str:
    """Return the stable code of an error: a few values, all known beforehand."""
    if isinstance(error, ProviderError):
        return error.kind
    return error.code if isinstance(error, AnimatizeError) else "unexpected_error"


def _context_of(traceparent: str | None) -> Context:
    """Return the context that a traceparent tells; an empty one when it is none."""
    return _w3c.extract({TRACEPARENT: traceparent} if traceparent else {}, Context())


def _links(traceparents: Sequence[str | None]) -> list[Link]:
    contexts = [
        trace.get_current_span(_context_of(each)).get_span_context()
        for each in traceparents
        if each
    ]
    return [Link(context) for context in contexts if context.is_valid]


def _known(attributes: Mapping[str, Value | None] | None) -> dict[str, Value]:
    return {name: value for name, value in (attributes or {}).items() if value is not None}
