"""What a caller says of a job, made fit for its record.

Callers pass what they have: numbers of numpy, a resolution as one word, names that nobody knows.
Nothing of it may break their job, so what does not fit is left out and told.

Belongs here: reading a mapping. Does not belong here: what is measured (``tracked_job``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Annotated, TypeVar

from pydantic import AwareDatetime, Field, ValidationError

from animatize_assets.performance.models import Count, JobParameters, Seconds
from animatize_assets.records import Record

LONGEST_EXTRA_TEXT = 256
"""Characters. A word that names a setting is shorter; a prompt or a picture in base64 is not."""

_KNOWN = frozenset(JobParameters.model_fields) - {"extra"}
_RESOLUTION = re.compile(r"\s*(\d+)\s*[xX]\s*(\d+)\s*")
_SECRET = re.compile(r"(api_?key|token|password|secret|authorization|credentials?)$", re.IGNORECASE)
_INT64 = range(-(2**63), 2**63)

AnyRecord = TypeVar("AnyRecord", bound=Record)


class JobFacts(Record):
    """What is said of a job beside its parameters."""

    run_id: Annotated[str, Field(max_length=64)] | None = None
    partition_key: Annotated[str, Field(max_length=128)] | None = None
    queue_length: Count | None = None
    queued_at: AwareDatetime | None = Field(
        default=None, description="when it was enqueued, where somebody else keeps the queue"
    )
    queue_time_seconds: Seconds | None = Field(
        default=None, description="how long it waited, where somebody else measured it"
    )


_FACTS = frozenset(JobFacts.model_fields)


@dataclass(frozen=True)
class Given:
    """A mapping that was read."""

    parameters: JobParameters
    facts: JobFacts
    left_out: tuple[str, ...]
    """Names of what does not fit anywhere."""


def read_given(params: Mapping[str, object]) -> Given:
    """Sort a mapping into parameters, facts and further parameters.

    A field of ``JobParameters`` or :class:`JobFacts` is taken where its value fits it.
    ``resolution`` as ``"768x768"`` means width and height. Everything else that is a number, a
    truth value or a short word goes to ``extra``, except what is named like a secret. None says
    nothing.
    """
    given = {str(name): plain(value) for name, value in params.items()}
    given = {name: value for name, value in given.items() if value is not None}
    extra = given.pop("extra", None)
    if isinstance(extra, Mapping):
        given = {str(name): plain(value) for name, value in extra.items()} | given
    given = _with_resolution(given)
    facts, no_facts = fitting(JobFacts, {n: v for n, v in given.items() if n in _FACTS})
    known = {name: value for name, value in given.items() if name in _KNOWN}
    others = {name: value for name, value in given.items() if name not in _KNOWN | _FACTS}
    seed = known.get("seed")
    if isinstance(seed, int) and seed not in _INT64:  # no column is so wide
        others["seed"] = str(known.pop("seed"))
    parameters, no_parameters = fitting(JobParameters, known)
    others |= no_parameters
    extra_values = {name: value for name, value in others.items() if _is_extra(name, value)}
    left_out = tuple(sorted((others.keys() - extra_values.keys()) | no_facts.keys()))
    parameters = parameters.model_copy(update={"extra": extra_values})
    return Given(parameters, facts, left_out)


def fitting(
    record_type: type[AnyRecord], fields: Mapping[str, object]
) -> tuple[AnyRecord, dict[str, object]]:
    """Return the record of those fields that fit it, and the others.

    Raises:
        ValidationError: what is missing, or does not fit, has no default.

    """
    kept = dict(fields)
    left_out: dict[str, object] = {}
    while True:
        try:
            return record_type.model_validate(kept), left_out
        except ValidationError as error:
            bad = {each["loc"][0] for each in error.errors()} & kept.keys()
            if not bad:
                raise
            left_out |= {str(name): kept.pop(str(name)) for name in bad}


def plain(value: object) -> object:
    """Return a number of any library as Python's own, a text fit for any database, else itself."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    return value


def clean(text: str) -> str:
    """Return a text without what a database or JSON refuses: NUL and lone surrogates."""
    return str(text).encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def _with_resolution(given: Mapping[str, object]) -> dict[str, object]:
    resolution = given.get("resolution")
    match = _RESOLUTION.fullmatch(resolution) if isinstance(resolution, str) else None
    if match is None:
        return dict(given)
    others = {name: value for name, value in given.items() if name != "resolution"}
    return {"width": int(match[1]), "height": int(match[2])} | others


def _is_extra(name: str, value: object) -> bool:
    if _SECRET.search(name):
        return False
    if isinstance(value, str):
        return len(value) <= LONGEST_EXTRA_TEXT
    return isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value))
