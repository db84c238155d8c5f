from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animatize_assets.errors import FAILURE_KINDS
from animatize_assets.generation.http_answers import SUCCESS, kind_of_status, retry_after_s

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, SUCCESS),
        (400, "invalid_request"),
        (401, "not_configured"),
        (402, "quota"),
        (403, "not_configured"),
        (404, "invalid_request"),
        (408, "transient"),
        (409, "transient"),
        (413, "invalid_request"),
        (422, "invalid_request"),
        (425, "transient"),
        (429, "rate_limited"),
        (500, "transient"),
        (503, "transient"),
        (529, "transient"),
        (307, "transient"),
    ],
)
def test_a_status_alone_means_one_kind(status: int, kind: str) -> None:
    assert kind_of_status(status) == kind


@given(st.integers(100, 999))
def test_every_status_means_something(status: int) -> None:
    assert kind_of_status(status) in {SUCCESS, *FAILURE_KINDS}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"Retry-After-Ms": "1500", "Retry-After": "9"}, 1.5),
        ({"RETRY-AFTER": "2.5"}, 2.5),
        ({"retry-after": " 121 "}, 121.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "Sat, 21 Nov 2026 12:00:37 GMT"}, 37.0),
        ({"retry-after": "Sat, 21 Nov 2026 12:00:37"}, 37.0),
        ({"retry-after": "Sat, 21 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after-ms": "inf", "retry-after": "4"}, 4.0),
    ],
)
def test_the_server_says_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, NOW) == seconds


@given(st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms"]), st.text()))
def test_no_header_breaks_it_and_no_wait_is_negative(headers: dict[str, str]) -> None:
    seconds = retry_after_s(headers, NOW)
    assert seconds is None or seconds >= 0


@given(st.integers(0, 10_000_000))
def test_a_date_is_as_good_as_seconds(ahead: int) -> None:
    date = format_datetime(NOW + timedelta(seconds=ahead), usegmt=True)
    assert retry_after_s({"retry-after": date}, NOW) == ahead
