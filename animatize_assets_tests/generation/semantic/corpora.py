"""Two corpora, generated: texts that differ in one thing, and texts that say the same.

The texts are put together from pieces as people write prompts: what is there, where, when, in
which light, through which lens, and what the camera does. A near-duplicate changes one thing that
changes the picture; a restatement changes what does not.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

COLOURS = ("red", "blue", "green", "yellow", "black", "white", "purple", "orange", "gray", "brown")
COUNTS = ("one", "two", "three", "four", "five", "seven", "nine", "12", "20", "several")
PLURALS = {
    "cars": "car", "boats": "boat", "horses": "horse", "dogs": "dog", "cats": "cat",
    "lanterns": "lantern", "bicycles": "bicycle", "birds": "bird", "trucks": "truck",
    "umbrellas": "umbrella", "robots": "robot", "dancers": "dancer",
}  # fmt: skip
SUBJECTS = tuple(PLURALS)
PLACES = (
    "beside a stone bridge", "on a wet street", "in front of an old mill", "near a wooden pier",
    "under a large oak", "behind a glass tower", "on a mountain road", "above a quiet harbor",
    "in a narrow alley", "across from a small church",
)  # fmt: skip
TIMES = (
    "at dawn", "at sunrise", "at noon", "in the late afternoon", "at dusk", "at sunset",
    "at midnight", "in winter", "in early spring", "at night",
)  # fmt: skip
LIGHTS = (
    "soft light", "hard light", "golden hour light", "moonlight", "neon light", "volumetric light",
    "warm lamplight", "cold blue light", "backlit", "low key lighting",
)  # fmt: skip
LENSES = (
    "35mm lens", "50mm lens", "85mm lens", "24mm wide angle lens", "macro lens", "f/1.8 aperture",
    "f/8 aperture", "fisheye lens", "200mm telephoto lens", "anamorphic lens",
)  # fmt: skip
MOVES = (
    "the camera pans left", "the camera pans right", "slow dolly in", "slow dolly out",
    "the camera tilts up", "the camera tilts down", "the camera zooms in", "the camera zooms out",
    "the camera orbits left", "the camera orbits right",
)  # fmt: skip
PRESENCE = ("with people", "without people", "no people", "with no text", "with text", "no clouds")

WRITTEN = tuple(Path(__file__).with_name("written_prompts.txt").read_text().splitlines())
"""Prompts as people and this project's own compiler write them."""

WORD_KINDS = {
    "direction": ("left", "right", "up", "down", "in", "out"),
    "count": ("two", "three", "five", "seven"),
    "colour": ("red", "black", "green", "yellow", "blue", "orange", "brown", "gray"),
    "time": ("dawn", "night", "sunrise", "sunset", "morning", "evening"),
    "lens": ("24mm", "35mm", "50mm", "85mm", "telephoto", "anamorphic"),
    "subject": ("fox", "sailboats", "woman", "horses", "child", "parrot", "cat", "dog", "hikers",
                "man", "train", "trees", "cars", "people"),
    "negation": ("no", "without", "with"),
}  # fmt: skip
"""Words of which each may stand for another: the picture is another one then."""

OPPOSITES = {
    "left": "right", "right": "left", "up": "down", "down": "up", "in": "out", "out": "in",
    "above": "below", "behind": "beside", "under": "near", "beside": "behind", "near": "under",
}  # fmt: skip


@dataclass(frozen=True)
class Prompt:
    """The pieces of one prompt; a piece that is empty is left out."""

    count: str
    colour: str
    subject: str
    other_colour: str
    other: str
    place: str
    time: str
    light: str
    lens: str
    move: str
    presence: str

    def clauses(self) -> list[str]:
        first = f"{self.count} {self.colour} {self.subject}"
        if self.other:
            first += f" and a {self.other_colour} {self.other}"
        pieces = (f"{first} {self.place}", self.time, self.light, self.lens, self.move)
        return [piece for piece in (*pieces, self.presence) if piece]

    def text(self) -> str:
        return ", ".join(self.clauses())


def prompts(random_: random.Random) -> Iterator[Prompt]:
    while True:
        yield Prompt(
            count=random_.choice(COUNTS),
            colour=random_.choice(COLOURS),
            subject=random_.choice(SUBJECTS),
            other_colour=random_.choice(COLOURS),
            other=PLURALS[random_.choice(SUBJECTS)] if random_.random() < 0.6 else "",
            place=random_.choice(PLACES),
            time=random_.choice(TIMES),
            light=random_.choice((*LIGHTS, "")),
            lens=random_.choice((*LENSES, "")),
            move=random_.choice(MOVES),
            presence=random_.choice((*PRESENCE, "", "")),
        )


# -- Near-duplicates ----------------------------------------------------------------------------


def _other(random_: random.Random, choices: tuple[str, ...], than: str) -> str:
    return random_.choice([each for each in choices if each != than])


def _direction(random_: random.Random, prompt: Prompt) -> str:
    words = prompt.move.split()
    words[-1] = OPPOSITES[words[-1]]
    return replace(prompt, move=" ".join(words)).text()


def _side(random_: random.Random, prompt: Prompt) -> str:
    first, _, rest = prompt.place.partition(" ")
    other = OPPOSITES.get(first, "far from")
    return replace(prompt, place=f"{other} {rest}").text()


def _count(random_: random.Random, prompt: Prompt) -> str:
    return replace(prompt, count=_other(random_, COUNTS, prompt.count)).text()


def _number(random_: random.Random, prompt: Prompt) -> str:
    return replace(prompt, count="one", subject=PLURALS[prompt.subject]).text()


def _negation(random_: random.Random, prompt: Prompt) -> str:
    swapped = {
        "with people": "without people", "without people": "with people", "no people": "people",
        "with no text": "with text", "with text": "with no text", "no clouds": "clouds",
        "": "not blurred",
    }  # fmt: skip
    return replace(prompt, presence=swapped[prompt.presence]).text()


def _colour(random_: random.Random, prompt: Prompt) -> str:
    return replace(prompt, colour=_other(random_, COLOURS, prompt.colour)).text()


def _time(random_: random.Random, prompt: Prompt) -> str:
    return replace(prompt, time=_other(random_, TIMES, prompt.time)).text()


def _light(random_: random.Random, prompt: Prompt) -> str:
    return replace(prompt, light=_other(random_, LIGHTS, prompt.light)).text()


def _lens(random_: random.Random, prompt: Prompt) -> str:
    return replace(prompt, lens=_other(random_, LENSES, prompt.lens)).text()


def _subject(random_: random.Random, prompt: Prompt) -> str:
    return replace(prompt, subject=_other(random_, SUBJECTS, prompt.subject)).text()


def _who_is_what(random_: random.Random, prompt: Prompt) -> str:
    """The same words; the colours change places."""
    other = prompt.other or "door"
    colour = prompt.other_colour
    if colour == prompt.colour:
        colour = _other(random_, COLOURS, prompt.colour)
    return replace(prompt, colour=colour, other_colour=prompt.colour, other=other).text()


CHANGES: dict[str, Callable[[random.Random, Prompt], str]] = {
    "direction": _direction, "side": _side, "count": _count, "number": _number,
    "negation": _negation, "colour": _colour, "time": _time, "light": _light, "lens": _lens,
    "subject": _subject, "who is what": _who_is_what,
}  # fmt: skip


def _changed_word(random_: random.Random, text: str) -> tuple[str, str]:
    """Put another word of its kind in the place of one; and which kind it was."""
    words = re.findall(r"\w+|\W+", text)
    places = [
        (place, kind)
        for place, word in enumerate(words)
        for kind, choices in WORD_KINDS.items()
        if word in choices
    ]
    place, kind = random_.choice(places)
    words[place] = _other(random_, WORD_KINDS[kind], words[place])
    return kind, "".join(words)


def near_duplicates(cases: int, seed: int = 0) -> list[tuple[str, str, str]]:
    """Pairs of texts that mean different pictures, each with what differs.

    Every third one is restated as well: what differs must be seen behind what does not.
    """
    random_ = random.Random(seed)
    kinds = list(CHANGES)
    pairs: list[tuple[str, str, str]] = []
    for number, prompt in enumerate(prompts(random_)):
        if len(pairs) == cases:
            return pairs
        kind = kinds[number % len(kinds)]
        one = prompt.text()
        if number % 4 == 0:
            one = random_.choice(WRITTEN)
            kind, other = _changed_word(random_, one)
        elif kind == "who is what":
            if prompt.other_colour == prompt.colour:
                continue
            one = replace(prompt, other=prompt.other or "door").text()
            other = _who_is_what(random_, prompt)
        else:
            other = CHANGES[kind](random_, prompt)
        if number % 3 == 0:
            other = restated(random_, other)
        pairs.append((kind, one, other))
    return pairs


# -- Restatements -------------------------------------------------------------------------------


def _moved(random_: random.Random, text: str) -> str:
    """Clauses change places; of whole sentences, sentences do."""
    if ". " in text:
        parts = text.rstrip(".").split(". ")
        random_.shuffle(parts)
        return ". ".join(parts) + "."
    clauses = text.split(", ")
    random_.shuffle(clauses)
    return ", ".join(clauses)


def _polite(random_: random.Random, text: str) -> str:
    before = (
        "please ", "Please show me ", "could you please make ", "Can you create ", "I would like ",
        "Generate ", "Hello, could you show ", "kindly give me ", "I'd like to see ", "show me ",
        "Please, ", "I want you to create ", "Would you please generate ", "We need ", "Draw me ",
        "Make ", "Kindly render ", "Create a picture of ",
    )  # fmt: skip
    after = (
        ", please", ", thank you", "; thanks!", ". Thank you very much.", " please",
        ", if possible", " as soon as possible", ". Many thanks!", ", thanks a lot!",
        ". Thank you for your help.", ". I appreciate it.", " for me please",
    )  # fmt: skip
    if random_.random() < 0.6:
        return random_.choice(before) + text
    return text.rstrip(".") + random_.choice(after)


def _medium(random_: random.Random, text: str) -> str:
    """A filler, or its plural."""
    fillers = ("an image of ", "a picture of ", "images of ", "pictures of ", "the image of ")
    return random_.choice(fillers) + text


def _punctuated(random_: random.Random, text: str) -> str:
    mark = random_.choice(("; ", ". ", ",  ", " , ", "! ", " - ", ",\n", " / ", "\n* ", " | "))
    return text.replace(", ", mark) + random_.choice(("", ".", "!", "...", " ."))


def _cased(random_: random.Random, text: str) -> str:
    return random_.choice((text.upper(), text.title(), text.capitalize(), text.swapcase()))


def _articles(random_: random.Random, text: str) -> str:
    return re.sub(r"\b(an?)\b", "the", text)


RESTATEMENTS: dict[str, Callable[[random.Random, str], str]] = {
    "order of clauses": _moved, "politeness": _polite, "filler": _medium,
    "punctuation": _punctuated, "case": _cased, "articles": _articles,
}  # fmt: skip


def restated(random_: random.Random, text: str) -> str:
    """Say the same in another way: clauses move, and one or two other things change."""
    text = _moved(random_, text)
    text = random_.choice((_polite, _medium))(random_, text)
    return random_.choice((_punctuated, _cased))(random_, text)


def restatements(cases: int, seed: int = 0) -> list[tuple[str, str, str]]:
    """Pairs of texts that mean the same picture, each with how they differ."""
    random_ = random.Random(seed)
    kinds = [*RESTATEMENTS, "several"]
    pairs: list[tuple[str, str, str]] = []
    for number, prompt in enumerate(prompts(random_)):
        if len(pairs) == cases:
            return pairs
        kind = kinds[number % len(kinds)]
        one = random_.choice(WRITTEN) if number % 4 == 0 else prompt.text()
        other = restated(random_, one) if kind == "several" else RESTATEMENTS[kind](random_, one)
        pairs.append((kind, one, other))
    return pairs
