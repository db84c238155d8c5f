"""One call to a provider as a span and as measurements, by the conventions for generative AI.

Belongs here: joining the two. Does not belong here: their names (``gen_ai``), instruments
(``metrics``), what is called and what it costs (``generation``, ``prompts``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from opentelemetry.trace import SpanKind

from animatize_assets.telemetry import gen_ai, metrics, tracing


class TokenCounts(Protocol):
    """What a provider counted of one call; None where it told nothing."""

    @property
    def input_tokens(self) -> int | None:
        """Tokens that it read."""

    @property
    def output_tokens(self) -> int | None:
        """Tokens that it wrote."""


class TracedCall:
    """A call that is under way."""

    def __init__(self, operation: gen_ai.Operation, provider: str, model: str) -> None:
        self._named = (operation, provider, model)

    def made(
        self,
        used: TokenCounts | None,
        *,
        response_id: str | None = None,
    ) -> None:
        """Tell what the provider said of its answer: the tokens, its id."""
        read = None if used is None else used.input_tokens
        written = None if used is None else used.output_tokens
        tracing.describe(
            {
                gen_ai.INPUT_TOKENS: read,
                gen_ai.OUTPUT_TOKENS: written,
                gen_ai.RESPONSE_ID: response_id,
            }
        )
        metrics.record_tokens(*self._named, read=read, written=written)


@contextmanager
def traced_call(
    operation: gen_ai.Operation,
    provider: str,
    model: str,
    *,
    image_key: str | None,
    run_id: str | None,
    in_house: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[TracedCall]:
    """Make the block a call's span, and record how long it takes and how it fails.

    ``in_house``: whether it is work of this process. A call that is cancelled is not recorded:
    nobody knows how it would have ended.
    """
    attributes = {
        **gen_ai.call_attributes(operation, provider, model),
        tracing.IMAGE_KEY: image_key,
        tracing.RUN_ID: run_id,
    }
    kind = SpanKind.INTERNAL if in_house else SpanKind.CLIENT
    started = clock()

    def record(error_type: str | None) -> None:
        seconds = clock() - started
        metrics.record_call(operation, provider, model, seconds, error_type=error_type)

    with tracing.span(f"{operation} {model}", attributes, kind=kind):
        try:
            yield TracedCall(operation, provider, model)
        except Exception as error:
            record(tracing.error_type(error))
            raise
    record(None)
