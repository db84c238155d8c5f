"""The base of every record that one room hands to another.

A record is small, immutable and JSON: numbers, words and paths. Arrays and pixels live in files
that a record names. Belongs here: the base class and how a float is stored. Does not belong
here: any particular record (each lives in its room's ``models.py``).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

SIGNIFICANT_DIGITS = 6
"""Measurements are kept to six significant digits: far finer than any of them is accurate, and
coarse enough that the last bits of floating-point arithmetic cannot differ between machines."""


def rounded(value: float) -> float:
    """``value`` to six significant digits, and never ``-0.0``."""
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}") + 0.0


Measured = Annotated[float, Field(allow_inf_nan=False), AfterValidator(rounded)]
"""A finite float, kept to six significant digits."""

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), AfterValidator(rounded)]
"""A share or score in 0..1."""

Signed = Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False), AfterValidator(rounded)]
"""A signed quantity in -1..1."""


class Record(BaseModel):
    """An immutable record that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
