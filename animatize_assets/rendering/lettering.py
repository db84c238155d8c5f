"""Text on pictures, with the one font that comes with Pillow (Aileron): no font files needed.

Belongs here: fonts, wrapping, and letters that the font has. Does not belong here: where text
goes (``contact_sheet``).
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from PIL import ImageFont

# What the font lacks and a sentence of ours may hold.
_SUBSTITUTES = str.maketrans({
    "\N{MULTIPLICATION SIGN}": "x",
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "\N{MINUS SIGN}": "-",
    "\N{RIGHTWARDS ARROW}": ">",
    "\N{GREATER-THAN OR EQUAL TO}": ">=",
    "\N{LESS-THAN OR EQUAL TO}": "<=",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": '"',
    "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
    "\N{BULLET}": "\N{MIDDLE DOT}",
    "\N{NO-BREAK SPACE}": " ",
    "\N{LATIN SMALL LETTER SHARP S}": "ss",
})  # fmt: skip
_LATIN_1_IN_FONT = "\N{DEGREE SIGN}\N{MIDDLE DOT}\N{PLUS-MINUS SIGN}"
_MISSING = "?"

Font = ImageFont.FreeTypeFont


@lru_cache(maxsize=32)
def font(size_px: int) -> Font:
    """Return Pillow's own scalable font at ``size_px``."""
    loaded = ImageFont.load_default(size=size_px)
    if not isinstance(loaded, ImageFont.FreeTypeFont):
        raise TypeError("Pillow was built without FreeType; install a wheel from PyPI.")
    return loaded


def legible(text: str) -> str:
    """``text`` in letters that the font has: accents are dropped, the rest becomes ``?``."""
    plain = unicodedata.normalize("NFKD", text.translate(_SUBSTITUTES))
    kept = (letter for letter in plain if not unicodedata.combining(letter))
    return "".join(
        letter if letter.isascii() or letter in _LATIN_1_IN_FONT else _MISSING for letter in kept
    )


def wrapped(text: str, size_px: int, width_px: float, at_most: int | None = None) -> list[str]:
    """Lines of ``text`` that each fit in ``width_px``; a word that does not fit alone is split.

    With ``at_most`` lines, what is left over is marked by ``...`` at the end of the last.
    """
    letters = font(size_px)
    lines: list[str] = []
    line = ""
    for word in legible(text).split():
        candidate = f"{line} {word}".strip()
        if letters.getlength(candidate) <= width_px:
            line = candidate
            continue
        if line:
            lines.append(line)
        line = word
        while letters.getlength(line) > width_px and len(line) > 1:
            cut = _longest_prefix(line, letters, width_px)
            lines.append(line[:cut])
            line = line[cut:]
    lines.append(line)
    if at_most is not None and len(lines) > at_most:
        last = lines[at_most - 1]
        while last and letters.getlength(f"{last}...") > width_px:
            last = last[:-1]
        lines = [*lines[: at_most - 1], f"{last.rstrip()}..."]
    return lines


def _longest_prefix(word: str, letters: Font, width_px: float) -> int:
    cut = len(word) - 1
    while cut > 1 and letters.getlength(word[:cut]) > width_px:
        cut -= 1
    return cut
