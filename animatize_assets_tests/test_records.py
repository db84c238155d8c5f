from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from animatize_assets.records import (
    SIGNIFICANT_DIGITS,
    Measured,
    Record,
    Share,
    Signed,
    rounded,
)


class Sample(Record):
    measured: Measured = 0.0
    share: Share = 0.0
    signed: Signed = 0.0


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_rounding_is_fine_and_settles(value: float) -> None:
    result = rounded(value)
    assert rounded(result) == result
    assert math.isclose(result, value, rel_tol=0.5 * 10 ** (1 - SIGNIFICANT_DIGITS), abs_tol=1e-322)


def test_the_last_bits_of_arithmetic_are_not_kept() -> None:
    assert Sample(measured=0.1 + 0.2) == Sample(measured=0.3)
    assert Sample(share=1 / 3).share == 0.333333


def test_there_is_no_negative_zero() -> None:
    assert math.copysign(1, Sample(measured=-0.0).measured) == 1
    assert "-0" not in Sample(signed=-0.0).model_dump_json()


@given(st.floats(-1e12, 1e12), st.floats(0, 1), st.floats(-1, 1))
def test_a_record_is_its_json(measured: float, share: float, signed: float) -> None:
    record = Sample(measured=measured, share=share, signed=signed)
    again = Sample.model_validate_json(record.model_dump_json())
    assert again == record
    assert again.model_dump_json() == record.model_dump_json()


@pytest.mark.parametrize(
    "values",
    [
        {"measured": math.nan},
        {"measured": math.inf},
        {"share": 1.01},
        {"share": -0.01},
        {"signed": -1.01},
        {"signed": math.nan},
        {"unknown": 1},
    ],
)
def test_what_does_not_fit_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Sample.model_validate(values)


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Sample().share = 0.5  # type: ignore[misc]  # that it is frozen is the point
    assert Sample(share=0.2).model_copy(update={"share": 0.3}).share == 0.3
