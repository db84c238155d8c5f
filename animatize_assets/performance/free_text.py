"""Which further parameters are free text: a note, a title, a path that is another one each time.

Of such a parameter nothing can be learned; that its next value is new says nothing either, and must
not widen an interval.

Belongs here: the rule. Does not belong here: what follows from it (``encoding``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from animatize_assets.performance.features import parts_of
from animatize_assets.performance.models import Submission

FREE_TEXT_SHARE = 0.8
"""Share of a further parameter's jobs whose value no other job has, from which on it is free text.
Ours: of a choice among k, each equally often, n jobs leave that share alone when ``exp(-n / k)`` is
as high, so k is above 4 n; of such a choice nothing could be learned either."""

FREE_TEXT_LEAST = 10
"""Jobs with the parameter before that is judged: of a few, many are alone by chance."""


def free_text_fields(submissions: Sequence[Submission]) -> frozenset[str]:
    """Return the further parameters nearly all of whose jobs share no part of it with another."""
    seen: Counter[tuple[str, str]] = Counter()
    parts_by_field: dict[str, list[frozenset[str]]] = {}
    for submission in submissions:
        for field, value in submission.parameters.extra.items():
            if isinstance(value, str) and (parts := parts_of(value)):
                parts_by_field.setdefault(field, []).append(parts)
                seen.update((field, part) for part in parts)

    def alone(field: str, parts: frozenset[str]) -> bool:
        return all(seen[field, part] == 1 for part in parts)

    return frozenset(
        field
        for field, values in parts_by_field.items()
        if len(values) >= FREE_TEXT_LEAST
        and sum(alone(field, parts) for parts in values) >= FREE_TEXT_SHARE * len(values)
    )
