"""Dollars as whole numbers of billionths, so that sums are exact and equal on every machine.

Belongs here: the conversion and how an amount is written. Does not belong here: prices
(``catalogue``), limits (``budget``), storing (``ledger``).
"""

from __future__ import annotations

from decimal import Decimal

NANOUSD_PER_USD = 1_000_000_000
"""A token of the cheapest model of the catalogue costs some fifty billionths of a dollar."""

_LARGEST_USD = 1_000_000_000


def to_nanousd(usd: float) -> int:
    """Return an amount as whole billionths of a dollar, to the nearest one.

    The decimal digits of ``usd`` are taken as they are written, so 0.045 is exactly 45,000,000.

    Raises:
        ValueError: it is negative, not a number, or more than a billion dollars.

    """
    if not 0 <= usd <= _LARGEST_USD:
        raise ValueError(f"An amount must be from 0 to {_LARGEST_USD} dollars, not {usd}.")
    return int((Decimal(repr(float(usd))) * NANOUSD_PER_USD).to_integral_value())


def to_usd(nanousd: int) -> float:
    """Return whole billionths of a dollar as dollars."""
    return nanousd / NANOUSD_PER_USD


def in_dollars(nanousd: int) -> str:
    """Write an amount for a person: cents at least, and no digit that is not there."""
    digits = f"{Decimal(nanousd) / NANOUSD_PER_USD:.9f}".rstrip("0")
    whole, _, decimals = digits.partition(".")
    return f"${whole}.{decimals:0<2}"
