"""A text as sentences of clauses, without what means nothing.

Belongs here: cutting, and leaving out articles, politeness and filler. Does not belong here: which
clause may move (``canonical``) and the words (``vocabulary``).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from animatize_assets.generation.semantic.vocabulary import (
    ABBREVIATIONS,
    ARTICLES,
    ASKING,
    COMPOUNDS,
    CONTRACTIONS,
    DROPPED_ANYWHERE,
    FILLER_PLURALS,
    GOES_WITH_THANKS,
    KEEPS_ITS_ARTICLE,
    LEADING_BEFORE_A_THING,
    LEADING_FILLERS,
    LEADING_MEDIA,
    MEDIA_PLURALS,
    NUMBER_WORDS,
    SPELLED_OUT_AFTER,
    SPELLINGS,
    THANKS,
    TRAILING_FILLERS,
)

Words = tuple[str, ...]

_INVISIBLE = dict.fromkeys([0x00AD, 0x200B, 0x2060, 0xFEFF])
_SAME_MARK = str.maketrans({
    **dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"'),  # curly and angled quotation marks
    **dict.fromkeys("\u2018\u2019`", "'"),  # curly apostrophes
    **dict.fromkeys("\u2212\u2010\u2011", "-"),  # minus and hyphens
    "\u3001": ",", "\u3002": ".", "_": " ",
})  # fmt: skip

_TOKEN = re.compile(
    r"""
      (?P<quoted>"[^"]*")
    | (?P<stop>[.;!?\n\r…]+(?=\s|$|["')\]}]) | [;!?\n\r…]+)
    | (?P<comma>[,\u2014\u2013]+ | (?:(?<=\s)|\A)[-/|*\u2022\u00b7]+(?=\s) | --+)
    | (?P<aperture>\b[fF]/\d+(?:\.\d+)?)
    | (?P<number>(?:(?<![\w)])[+-])?\d+(?:[.,:/]\d+)*[%°\w]*)
    | (?P<word>[^\W\d](?:\w|['.-](?=\w))*)
    | (?P<symbol>\S)
    """,
    re.VERBOSE,
)


@dataclass(frozen=True)
class Clause:
    """What stands between two marks of punctuation, in order, without what means nothing."""

    words: Words
    sentence: int
    determined: bool
    """Whether it began with an article or a number."""


def clauses_of(text: str) -> tuple[Clause, ...]:
    """Cut ``text``. Quoted text stays as it is, one word; every symbol stays, as a word."""
    return tuple(
        Clause(words, sentence, determined)
        for sentence, tokens in _cut(text)
        for words, determined in [_content(tokens)]
        if words
    )


def _cut(text: str) -> Iterator[tuple[int, list[str]]]:
    """Give the tokens of each clause, with the number of its sentence."""
    plain = unicodedata.normalize("NFKC", text.translate(_SAME_MARK)).translate(_INVISIBLE)
    plain = plain.translate(_SAME_MARK)
    sentence = 0
    tokens: list[str] = []
    for match in _TOKEN.finditer(plain):
        kind, token = match.lastgroup, match.group()
        if kind == "stop" and not _is_abbreviated(tokens, token):
            yield sentence, tokens
            tokens = []
            sentence += 1
        elif kind == "comma":
            yield sentence, tokens
            tokens = []
        elif kind in {"aperture", "number", "word", "symbol"}:
            tokens.extend(_spelled(token.casefold()))
        elif kind == "quoted":
            tokens.append(token)
    yield sentence, tokens


def _is_abbreviated(tokens: Sequence[str], mark: str) -> bool:
    """Whether a full stop belongs to the word before it: 'Dr. Who', 'U.S. flag', 'J. Doe'."""
    if mark != "." or not tokens:
        return False
    last = tokens[-1]
    return last in ABBREVIATIONS or "." in last.strip(".0123456789") or len(last) == 1


def _spelled(word: str) -> Words:
    if word in COMPOUNDS:
        return tuple(word.split("-"))
    if word in CONTRACTIONS:
        return CONTRACTIONS[word]
    if word.endswith("n't"):
        return (word[:-3], "not")
    word = SPELLINGS.get(word, word)
    return (FILLER_PLURALS.get(word, word),)


def _content(tokens: Sequence[str]) -> tuple[Words, bool]:
    """Leave out what means nothing; and whether an article or a number comes first."""
    words: list[str] = []
    has_article: list[bool] = []
    article = spelled_out = asked = False
    for place, token in enumerate(tokens):
        following = tokens[place + 1] if place + 1 < len(tokens) else ""
        if not spelled_out and _is_article(token, following):
            article = True
        elif spelled_out or token not in DROPPED_ANYWHERE:
            words.append(token)
            has_article.append(article)
            article = False
            spelled_out = spelled_out or token in SPELLED_OUT_AFTER
        elif not words:
            asked = True
    if _is_thanks(tuple(words)):
        return (), False
    start = _filler_before(words, has_article, was_asked=asked)
    stop = _filler_after(words, start)
    content = tuple(words[start:stop])
    if len(content) > 1 and content[1] == "of" and content[0] in MEDIA_PLURALS:
        content = (MEDIA_PLURALS[content[0]], *content[1:])
    determined = bool(content) and (has_article[start] or _is_number(content[0]))
    return content, determined


def _is_thanks(words: Words) -> bool:
    return any(
        words[: len(phrase)] == phrase
        and (len(words) == len(phrase) or words[len(phrase)] in GOES_WITH_THANKS)
        for phrase in THANKS
    )


def _is_article(token: str, following: str) -> bool:
    """Whether it is one that means nothing: a word follows, and not 'few'."""
    return token in ARTICLES and following[:1].isalnum() and following not in KEEPS_ITS_ARTICLE


def _is_number(word: str) -> bool:
    return word[0].isdigit() or word in NUMBER_WORDS


def _filler_before(
    words: Sequence[str], has_article: Sequence[bool], *, was_asked: bool = False
) -> int:
    """Return where the content begins."""
    start = 0
    while start < len(words):
        rest = tuple(words[start : start + _LONGEST])
        length = _match(rest, _MEDIA)
        if not length and not has_article[start]:
            length = _match(rest, _LEADING)
            if not length and rest[:1] in LEADING_BEFORE_A_THING:
                length = int(was_asked or _thing_follows(words, has_article, start + 1))
            was_asked = rest[0] in ASKING
        if not length:
            return start
        start += length
    return start


def _thing_follows(words: Sequence[str], has_article: Sequence[bool], place: int) -> bool:
    return (
        place == len(words)
        or has_article[place]
        or _is_number(words[place])
        or _filler_before(words[place:], has_article[place:]) > 0
    )


def _filler_after(words: Sequence[str], start: int) -> int:
    """Return where the content ends."""
    stop = len(words)
    while stop > start:
        for phrase in _TRAILING.get(words[stop - 1], ()):
            if tuple(words[max(start, stop - len(phrase)) : stop]) == phrase:
                stop -= len(phrase)
                break
        else:
            return stop
    return stop


def _match(words: Words, phrases: Mapping[str, Sequence[Words]]) -> int:
    """Return the length of the longest phrase that ``words`` begin with; 0 for none."""
    return next((len(p) for p in phrases.get(words[0], ()) if words[: len(p)] == p), 0)


def _by_word(place: int, phrases: Iterable[Words]) -> dict[str, list[Words]]:
    """Find phrases by one of their words; the longest come first."""
    found: dict[str, list[Words]] = {}
    for phrase in sorted(phrases, key=len, reverse=True):
        found.setdefault(phrase[place], []).append(phrase)
    return found


_LEADING = _by_word(0, LEADING_FILLERS)
_MEDIA = _by_word(0, LEADING_MEDIA)
_TRAILING = _by_word(-1, TRAILING_FILLERS)
_LONGEST = max(len(phrase) for phrase in LEADING_FILLERS)
