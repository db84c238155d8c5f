"""A submission as a vector of numbers, by a state that is plain JSON.

Written by hand because a scikit-learn ColumnTransformer costs 4 to 8 ms a row. The vector is, in
this order: 1 (jobs that are all alike have no other feature), numbers less their median, an
indicator per number that may be missing, an indicator per name and word of a name, and indicators
times numbers (each model and GPU has its own slope).

Unseen names and missing values are ordinary input: no indicator is set, the number stands at its
median. Free text (``free_text``) has no indicators, and is never new.

Belongs here: learning the state, making vectors. Does not belong here: formulas (``features``),
models.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from animatize_assets.performance.features import (
    NUMBERS,
    extra_number,
    names_of,
    numbers_of,
    parts_of,
    words_of,
)
from animatize_assets.performance.free_text import free_text_fields
from animatize_assets.performance.models import Submission
from animatize_assets.records import Record

Vector = NDArray[np.float64]

SEEN_LEAST = 2
"""Times a name must have been seen to get an indicator: once cannot be told from chance."""

MOST_NAMES = 160
"""Indicators at most, the most frequent first; it bounds the vector, and so time and memory."""

CROSSED = ("log_work", "log_batch", "log_work_per_device", "log_pixels")
"""Numbers whose slope may differ from name to name."""

PAIRED = ("model", "gpu_model")
"""A pair of names with an indicator of its own: not every model gains as much by a faster GPU."""

HOURS_SEEN = timedelta(days=2)
"""Span of submissions from which on the hour counts: on one day it cannot be told from a drift."""

WEEKDAYS_SEEN = timedelta(days=14)
"""The same for the weekday."""

_NUMBERS = tuple(NUMBERS)
_LEAST_SPREAD = 1e-9


class EncoderState(Record):
    """What an encoder learned; nothing of it needs a target."""

    numbers: tuple[str, ...]
    """Names of the numbers that vary, those of ``extra`` prefixed by ``extra.``."""
    medians: tuple[float, ...]
    may_be_missing: tuple[str, ...]
    names: tuple[str, ...]
    """Indicators: ``field=value``, ``field~word`` or ``model=.. gpu_model=..``."""
    crosses: tuple[tuple[int, int], ...]
    """Pairs of (indicator, number), by position."""
    known: dict[str, tuple[str, ...]]
    """Every value seen often enough of each field, to tell what is new."""
    free_text: tuple[str, ...] = ()
    """Further parameters of which no value tells anything."""


class FeatureEncoder:
    """Makes vectors of submissions. Make one by :meth:`fit` or from a stored state."""

    def __init__(self, state: EncoderState) -> None:
        self.state = state
        self._column = {name: position for position, name in enumerate(state.names)}
        self._columns_of: dict[tuple[str, str], tuple[int, ...]] = {}
        self._unseen: dict[tuple[str, str], bool] = {}
        self._known = {field: frozenset(values) for field, values in state.known.items()}
        self._free_text = frozenset(state.free_text)

    @classmethod
    def fit(
        cls, submissions: Sequence[Submission], recent_medians: Sequence[float | None]
    ) -> FeatureEncoder:
        """Learn names, medians and which numbers vary.

        Raises:
            ValueError: there are no submissions.

        """
        if not submissions:
            raise ValueError("An encoder learns from at least one submission; give it some.")
        extras = sorted({name for each in submissions for name in each.parameters.extra})
        candidates = (*_NUMBERS, *(f"extra.{name}" for name in extras))
        table = _number_table(submissions, recent_medians, candidates)
        kept = [
            position
            for position, name in enumerate(candidates)
            if _varies(table[:, position]) and _clock_is_known(name, submissions)
        ]
        table = table[:, kept]
        numbers = tuple(candidates[position] for position in kept)
        missing = np.isnan(table)
        medians = np.nanmedian(table, axis=0) if kept else np.zeros(0)
        free_text = free_text_fields(submissions)
        names = _frequent_names(submissions, free_text)
        state = EncoderState(
            numbers=numbers,
            medians=tuple(medians.tolist()),
            may_be_missing=tuple(
                name
                for position, name in enumerate(numbers)
                if 0 < missing[:, position].sum() < len(submissions)
            ),
            names=names,
            crosses=(),
            known=_known_values(submissions, free_text),
            free_text=tuple(sorted(free_text)),
        )
        without_crosses = cls(state)
        centred, _ = without_crosses._centred(table)
        crosses = _varying_crosses(
            numbers, names, centred, without_crosses._indicators(submissions)
        )
        return cls(state.model_copy(update={"crosses": crosses}))

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """The name of each place of the vector."""
        state = self.state
        return (
            "constant",
            *state.numbers,
            *(f"{name} is missing" for name in state.may_be_missing),
            *state.names,
            *(f"{state.names[name]} * {state.numbers[number]}" for name, number in state.crosses),
        )

    def encode(self, submission: Submission, recent_median: float | None) -> Vector:
        """Return the vector of one submission: float64, finite."""
        vector: Vector = self.encode_many([submission], [recent_median])[0]
        return vector

    def encode_many(
        self, submissions: Sequence[Submission], recent_medians: Sequence[float | None]
    ) -> Vector:
        """Return one row per submission."""
        table = _number_table(submissions, recent_medians, self.state.numbers)
        numbers, missing = self._centred(table)
        indicators = self._indicators(submissions)
        slopes = indicators[:, self._crossed_names] * numbers[:, self._crossed_numbers]
        constant = np.ones((len(submissions), 1))
        return np.concatenate((constant, numbers, missing, indicators, slopes), axis=1)

    def unseen(self, submission: Submission) -> frozenset[str]:
        """Return the fields whose value was not among the jobs learned from.

        Names joined by ``+`` are told apart: it takes a new one among them. A field that is not
        known of the submission is not among the answer, nor is free text.
        """
        return frozenset(
            pair[0] for pair in names_of(submission.parameters) if self._is_unseen(pair)
        )

    def _is_unseen(self, pair: tuple[str, str]) -> bool:
        told = self._unseen.get(pair)
        if told is None:
            field, value = pair
            known = self._known.get(field, frozenset())
            told = self._unseen[pair] = field not in self._free_text and not known.issuperset(
                parts_of(value)
            )
        return told

    @cached_property
    def _crossed_names(self) -> NDArray[np.intp]:
        return np.array([name for name, _ in self.state.crosses], dtype=np.intp)

    @cached_property
    def _crossed_numbers(self) -> NDArray[np.intp]:
        return np.array([number for _, number in self.state.crosses], dtype=np.intp)

    @cached_property
    def _missable(self) -> NDArray[np.intp]:
        position = {name: place for place, name in enumerate(self.state.numbers)}
        return np.array([position[name] for name in self.state.may_be_missing], dtype=np.intp)

    def _centred(self, table: Vector) -> tuple[Vector, Vector]:
        missing = np.isnan(table)
        centred = np.where(missing, 0.0, table - np.array(self.state.medians))
        return centred, missing[:, self._missable].astype(np.float64)

    def _indicators(self, submissions: Sequence[Submission]) -> Vector:
        table = np.zeros((len(submissions), len(self.state.names)))
        for row, submission in enumerate(submissions):
            for pair in _named(submission):
                columns = self._columns_of.get(pair)
                if columns is None:
                    columns = self._columns_of[pair] = self._columns(pair)
                for column in columns:
                    table[row, column] = 1.0
        return table

    def _columns(self, pair: tuple[str, str]) -> tuple[int, ...]:
        return tuple(self._column[name] for name in _indicators_of(pair) if name in self._column)


def _named(submission: Submission) -> Iterator[tuple[str, str]]:
    yield from names_of(submission.parameters)
    parameters = submission.parameters
    if parameters.model and parameters.gpu_model:
        yield "model and gpu_model", f"{parameters.model} on {parameters.gpu_model}"


def _indicators_of(pair: tuple[str, str]) -> Iterator[str]:
    field, value = pair
    yield f"{field}={value}"
    if field != "model and gpu_model":
        yield from (f"{field}~{word}" for word in sorted(words_of(value)) if word != value)


def _number_table(
    submissions: Sequence[Submission],
    recent_medians: Sequence[float | None],
    names: Sequence[str],
) -> Vector:
    own = [_NUMBERS.index(name) for name in names if name in NUMBERS]
    extras = [name.removeprefix("extra.") for name in names if name not in NUMBERS]
    table = np.empty((len(submissions), len(own) + len(extras)))
    pairs = zip(submissions, recent_medians, strict=True)
    for row, (submission, recent_median) in enumerate(pairs):
        numbers = numbers_of(submission, recent_median)
        extra = submission.parameters.extra
        table[row] = [
            *(numbers[position] for position in own),
            *(extra_number(extra.get(name)) for name in extras),
        ]
    return table


def _varies(column: Vector) -> bool:
    known = column[~np.isnan(column)]
    return bool(known.size and np.ptp(known) > _LEAST_SPREAD)


def _clock_is_known(name: str, submissions: Sequence[Submission]) -> bool:
    least = {"hour": HOURS_SEEN, "weekday": WEEKDAYS_SEEN}.get(name.partition("_")[0])
    if least is None:
        return True
    moments = [submission.submitted_at for submission in submissions]
    return max(moments) - min(moments) >= least


def _frequent_names(
    submissions: Sequence[Submission], free_text: frozenset[str]
) -> tuple[str, ...]:
    """Return the indicators worth having; of several that always come together, the first."""
    rows_of: dict[str, list[int]] = {}
    for row, submission in enumerate(submissions):
        for pair in _named(submission):
            if pair[0] in free_text:
                continue
            for name in _indicators_of(pair):
                rows_of.setdefault(name, []).append(row)
    told = {
        name: tuple(rows)
        for name, rows in sorted(rows_of.items())
        if SEEN_LEAST <= len(rows) < len(submissions)
    }
    first_of = {rows: name for name, rows in reversed(told.items())}
    frequent = Counter({name: len(rows) for rows, name in first_of.items()})
    return tuple(sorted(name for name, _ in frequent.most_common(MOST_NAMES)))


def _varying_crosses(
    numbers: Sequence[str], names: Sequence[str], centred: Vector, indicators: Vector
) -> tuple[tuple[int, int], ...]:
    """Return the pairs whose number varies among the jobs that have the name."""
    crosses = []
    for name in range(len(names)):
        rows = centred[indicators[:, name] > 0]
        for number, crossed in enumerate(numbers):
            if crossed in CROSSED and _varies(rows[:, number]):
                crosses.append((name, number))
    return tuple(crosses)


def _known_values(
    submissions: Sequence[Submission], free_text: frozenset[str]
) -> dict[str, tuple[str, ...]]:
    seen = Counter(
        (field, part)
        for submission in submissions
        for field, value in names_of(submission.parameters)
        if field not in free_text
        for part in parts_of(value)
    )
    values: dict[str, list[str]] = {}
    for (field, part), times in sorted(seen.items()):
        if times >= SEEN_LEAST:
            values.setdefault(field, []).append(part)
    return {field: tuple(parts) for field, parts in values.items()}
