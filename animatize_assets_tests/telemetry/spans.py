"""The spans of this process that have ended, read as an exporter would read them.

OpenTelemetry takes one SDK per process and never gives it back, so every test that looks at spans
shares this one; each looks only at what ended while it looked.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


@cache
def _exporter() -> InMemorySpanExporter:
    made = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(made))
    trace.set_tracer_provider(provider)
    return made


class Spans(list[ReadableSpan]):
    """Spans in the order in which they ended."""

    def named(self, name: str) -> ReadableSpan:
        """The only one of that name."""
        (found,) = [each for each in self if each.name == name]
        return found

    def trace_ids(self) -> set[int]:
        """The traces that they belong to."""
        return {each.context.trace_id for each in self if each.context}

    def above(self, span: ReadableSpan) -> list[str]:
        """The names of the spans around ``span``, the nearest first."""
        by_id = {each.context.span_id: each for each in self if each.context}
        names = []
        while span.parent is not None and span.parent.span_id in by_id:
            span = by_id[span.parent.span_id]
            names.append(span.name)
        return names


def attributes(span: ReadableSpan) -> dict[str, object]:
    """What a span tells."""
    return dict(span.attributes or {})


def linked(span: ReadableSpan) -> list[int]:
    """The ids of the spans that a span is linked to."""
    return [link.context.span_id for link in span.links]


@contextmanager
def watched() -> Iterator[Spans]:
    """Gives the spans that end within the block, once it has ended."""
    exporter = _exporter()
    exporter.clear()
    spans = Spans()
    yield spans
    spans.extend(exporter.get_finished_spans())
