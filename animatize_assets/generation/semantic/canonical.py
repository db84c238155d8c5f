"""What a text means, as far as that can be told without understanding it.

Two texts have the same canonical key when they have the same content words in the same order
within each clause and the same clauses, and no clause has moved that belongs to another one.
What cannot be told apart by these rules costs a reuse: every rule errs to the side of *different*.

Belongs here: which clauses move together, and the key. Does not belong here: cutting and leaving
out (``clauses``), telling clauses apart (``kinds``), what is reused (``reuse``).

A clause may move alone when it describes the whole picture ('golden light', 'at dusk', '35mm
lens') or names a thing of its own ('a boat on a lake'). What belongs to another clause ('with a
hat', 'on the left', 'cars' after 'no people') moves with it or not at all:

- clauses about the camera keep their order among each other: it pans before it tilts;
- a clause that begins with a preposition, a participle or a pronoun stays with the thing before
  it as soon as there are two things it could belong to;
- after a negation, a bare noun may be negated too, so it stays;
- with words of order ('then', 'the other', 'respectively'), brackets, two clauses with the same
  head noun, or a lone adjective or position beside two things, nothing moves.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from animatize_assets.generation.semantic.clauses import Clause, Words, clauses_of
from animatize_assets.generation.semantic.kinds import Kind, kinds_of, must_stay
from animatize_assets.generation.semantic.vocabulary import (
    ANAPHORA,
    DROPPED_BEFORE_SCENE,
    NEGATIONS,
    ORDERED,
    STATIC,
)

CANONICAL_VERSION = "1"
"""Raised with every change of rules or words: keys of different versions never meet."""

Group = tuple[Words, ...]

_HOSTS = (Kind.THING, Kind.CAMERA)


@dataclass(frozen=True)
class CanonicalText:
    """A text's content: groups of clauses that belong together, sorted."""

    groups: tuple[Group, ...]
    words: Words
    """Every content word in the order in which it was written."""
    is_plain: bool
    """Whether punctuation may be left out: nothing is ordered, bound or quoted, and no negation
    could hold more or less without it."""

    @cached_property
    def key(self) -> str:
        """SHA-256 of the groups and of :data:`CANONICAL_VERSION`, hexadecimal."""
        told = json.dumps([CANONICAL_VERSION, self.groups], ensure_ascii=False)
        return hashlib.sha256(told.encode()).hexdigest()

    @property
    def text(self) -> str:
        """The content as a text again: what is given to the encoder."""
        return ", ".join(" ".join(words) for group in self.groups for words in group)


def canonical_text(text: str) -> CanonicalText:
    """Reduce ``text`` to what decides its meaning."""
    clauses = clauses_of(text)
    groups = _groups(clauses)
    words = tuple(word for clause in clauses for word in clause.words)
    return CanonicalText(
        groups=tuple(sorted(groups)),
        words=words,
        is_plain=_is_plain(words),
    )


def canonical_key(text: str) -> str:
    """Return the key that texts with the same content share: 64 hexadecimal digits."""
    return canonical_text(text).key


def same_words(one: CanonicalText, other: CanonicalText) -> bool:
    """Whether two texts are the same words in the same order, and differ in punctuation alone."""
    return one.is_plain and other.is_plain and one.words == other.words


def _is_plain(words: Words) -> bool:
    """Tell whether only punctuation is left out with punctuation."""
    # a negation before the last word holds that word: there is no other that it could hold
    negated = {place for place, word in enumerate(words) if word in NEGATIONS}
    return negated <= {len(words) - 2} and not any(
        word in ORDERED or not word[0].isalnum() for word in words
    )


def _groups(clauses: Sequence[Clause]) -> list[Group]:
    """Join what belongs together, each group in the order in which it was written."""
    kinds = kinds_of(clauses)
    if must_stay(clauses, kinds):
        return [tuple(clause.words for clause in clauses)]
    joined: dict[int, list[Words]] = {}
    for place, root in enumerate(_roots(clauses, kinds)):
        words = clauses[place].words
        joined.setdefault(root, []).append(_bare(words) if kinds[place] is Kind.SCENE else words)
    return [tuple(group) for group in joined.values()]


def _roots(clauses: Sequence[Clause], kinds: Sequence[Kind]) -> list[int]:
    """Return for each clause the place of the one with which it moves, itself when it is free."""
    things, cameras = kinds.count(Kind.THING), kinds.count(Kind.CAMERA)
    first_host = next((place for place, kind in enumerate(kinds) if kind in _HOSTS), None)
    roots: list[int] = []
    host: int | None = None
    first_camera: int | None = None
    for place, kind in enumerate(kinds):
        root = place
        if kind is Kind.CAMERA:
            first_camera = place if first_camera is None else first_camera
            root = first_camera
        elif kind is Kind.HELD and place:
            root = roots[-1]
        elif kind is Kind.FLOATING:
            words = clauses[place].words
            is_static = words[0] in STATIC or not ANAPHORA.isdisjoint(words)
            if things + cameras <= 1 or (things <= 1 and cameras <= 1 and is_static):
                # 'with a dog, on a leash': the second may belong to the first
                root = roots[-1] if place and kinds[place - 1] is Kind.FLOATING else place
            elif host is not None:
                root = roots[host]
            elif first_host is not None:
                root = first_host
        roots.append(root)
        if kind in _HOSTS:
            host = place
    return roots


def _bare(words: Words) -> Words:
    return words[1:] if words[0] in DROPPED_BEFORE_SCENE else words
