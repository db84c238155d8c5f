"""What a clause is about, and whether anything in its text may move.

Belongs here: telling clauses apart by their words. Does not belong here: what follows from it
(``canonical``) and the words (``vocabulary``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import Enum
from itertools import pairwise

from animatize_assets.generation.semantic.clauses import Clause, Words
from animatize_assets.generation.semantic.vocabulary import (
    ALL_THAT_FOLLOWS,
    ANAPHORA,
    APERTURE,
    BINDING,
    CAMERA,
    CAMERA_PAIRS,
    CONNECTING,
    CONTRASTED,
    DEGREES,
    FLOATING,
    HAVING,
    LENS_LENGTH,
    MODIFIER_ENDINGS,
    MODIFIERS,
    NEGATIONS,
    NO_ORDER,
    NO_PARTICIPLES,
    ORDERED,
    PICTURE_WIDE,
    POSITIONS,
    QUALIFYING,
    SCENE,
)

LONGEST_APPOSITION = 4
"""Words. A longer clause says by itself what it is about; a shorter one ('red hat') may be said
of what stands before it."""


INTRODUCES = ":"
"""What follows it, to the end of the sentence, belongs to what is before it."""


class Kind(Enum):
    """What a clause is about."""

    THING = "something in the picture, named by the clause itself"
    SCENE = "the whole picture: time, weather, light, lens, style"
    CAMERA = "what the camera does"
    FLOATING = "another clause, before it or after it"
    LONE = "another clause: one adjective, position or number, with nothing that tells which"
    HELD = "the clause before it, which negates or introduces it"


def kinds_of(clauses: Sequence[Clause]) -> list[Kind]:
    """Tell of each clause what it is about."""
    kinds = _with_held(clauses, [_kind(clause) for clause in clauses])
    _part_same_heads(clauses, kinds)
    _part_contrasts(clauses, kinds)
    things = [place for place, kind in enumerate(kinds) if kind is Kind.THING]
    lacking = [place for place in things if clauses[place].words[0] in NEGATIONS]
    determined = [place for place in things if clauses[place].determined]
    for place in things:
        # 'a man, no shoes, a woman': which of the two has none?
        has_hosts = len(things) - len(lacking) >= 2 and place in lacking
        # 'a man, red hat, a woman, blue scarf': what has no article may belong to what has one
        is_bare = len(determined) >= 2 and place not in determined
        if has_hosts or is_bare:
            kinds[place] = Kind.FLOATING
    return kinds


def must_stay(clauses: Sequence[Clause], kinds: Sequence[Kind]) -> bool:
    """Whether the order of all clauses is, or may be, part of the meaning."""
    for clause in clauses:
        for place, word in enumerate(clause.words):
            is_order = word in ORDERED and clause.words[place : place + 2] not in NO_ORDER
            if is_order or word in BINDING:
                return True
    hosts = sum(kind in {Kind.THING, Kind.CAMERA, Kind.SCENE} for kind in kinds)
    if Kind.LONE in kinds and hosts >= 2:
        return True
    heads = Counter(
        clause.words[-1]
        for clause, kind in zip(clauses, kinds, strict=True)
        if kind is Kind.THING
        and len(clause.words) <= LONGEST_APPOSITION
        and clause.words[-1] not in POSITIONS | FLOATING
    )
    return any(count > 1 for count in heads.values())


def _kind(clause: Clause) -> Kind:
    words = clause.words
    if INTRODUCES in words:
        return Kind.THING
    if _is_scene(words):
        return Kind.SCENE
    if NEGATIONS.isdisjoint(words):
        if not CAMERA.isdisjoint(words) or not CAMERA_PAIRS.isdisjoint(pairwise(words)):
            return Kind.CAMERA
        if _is_lone(words):
            return Kind.LONE
    return Kind.FLOATING if _floats(clause) else Kind.THING


def _is_scene(words: Words) -> bool:
    if words == ("black", "and", "white") or (words[:-1] in HAVING and words[-1] in PICTURE_WIDE):
        return True
    if not NEGATIONS.isdisjoint(words):
        return False
    subjects = sum(word in SCENE or _is_lens(word) for word in words)
    others = sum(word in QUALIFYING or word in CONNECTING or word in POSITIONS for word in words)
    both = sum(
        word in SCENE and (word in QUALIFYING or word in CONNECTING or word in POSITIONS)
        for word in words
    )
    return subjects > 0 and subjects + others - both == len(words)


def _is_lens(word: str) -> bool:
    length = word.removesuffix(LENS_LENGTH)
    return (length != word and length.isdigit()) or word.startswith(APERTURE)


def _is_lone(words: Words) -> bool:
    if all(word in POSITIONS or word in CONNECTING for word in words):
        return True
    if all(word in MODIFIERS or word in DEGREES for word in words):
        return True
    only = words[0]
    return len(words) == 1 and (only[0].isdigit() or only.endswith(MODIFIER_ENDINGS))


def _floats(clause: Clause) -> bool:
    words = clause.words
    if not ANAPHORA.isdisjoint(words):
        return True
    if clause.determined:
        return False
    first, following = words[0], words[1] if len(words) > 1 else ""
    names = first in NO_PARTICIPLES and following not in FLOATING
    return (
        first in FLOATING
        or (first.endswith("ing") and len(first) > 4 and not names)
        or (first.endswith("ed") and following in FLOATING)
    )


def _with_held(clauses: Sequence[Clause], kinds: list[Kind]) -> list[Kind]:
    """Find what a negation or a colon before it in the same sentence holds."""
    held = list(kinds)
    scope = ""
    for place, clause in enumerate(clauses):
        if place and clause.sentence != clauses[place - 1].sentence:
            scope = ""
        is_bare = kinds[place] is Kind.THING and not clause.determined
        if scope == "all" or (scope and (is_bare or _or_follows(clauses, place))):
            held[place] = Kind.HELD
        elif NEGATIONS.isdisjoint(clause.words):
            scope = ""
        if INTRODUCES in clause.words or not ALL_THAT_FOLLOWS.isdisjoint(clause.words):
            scope = "all"
        elif not NEGATIONS.isdisjoint(clause.words):
            scope = scope or "bare"
    return held


def _or_follows(clauses: Sequence[Clause], place: int) -> bool:
    return any(
        clause.words[0] == "or"
        for clause in clauses[place:]
        if clause.sentence == clauses[place].sentence
    )


def _part_same_heads(clauses: Sequence[Clause], kinds: list[Kind]) -> None:
    """'Warm light, over the hills, cold light, over the lake': two lights are two things."""
    heads = Counter(
        clause.words[-1] for clause, kind in zip(clauses, kinds, strict=True) if kind is Kind.SCENE
    )
    for place, clause in enumerate(clauses):
        if kinds[place] is Kind.SCENE and heads[clause.words[-1]] > 1:
            kinds[place] = Kind.THING


def _part_contrasts(clauses: Sequence[Clause], kinds: list[Kind]) -> None:
    """'At dawn, a boat, at dusk, a car': each of two times may belong to one of two things."""
    if kinds.count(Kind.THING) < 2 and kinds.count(Kind.CAMERA) < 2:
        return
    for family in CONTRASTED:
        places = [
            place
            for place, clause in enumerate(clauses)
            if kinds[place] is Kind.SCENE
            and not family.isdisjoint(clause.words)
            and (clause.words[0] in CONNECTING or len(clause.words) == 1)
        ]
        if len(places) >= 2:
            for place in places:
                kinds[place] = Kind.FLOATING
