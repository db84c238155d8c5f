from __future__ import annotations

import pytest

from animatize_assets.errors import FAILURE_KINDS, NotConfigured, ProviderError
from animatize_assets.generation.failures import (
    RULES,
    Next,
    Verdict,
    kind_of,
    possible_spend,
    rule_of,
)
from animatize_assets_tests.generation.scripted import failing


def test_every_kind_of_failure_has_one_rule_with_a_reason() -> None:
    assert RULES.keys() == FAILURE_KINDS.keys()
    assert all(rule.why for rule in RULES.values())


@pytest.mark.parametrize("kind", FAILURE_KINDS)
def test_what_is_not_retried_does_not_wait_and_what_waits_is_retried(kind: str) -> None:
    rule = RULES[kind]
    assert rule.waits == (rule.tries != 1)


@pytest.mark.parametrize("kind", ["invalid_request", "rendering"])
def test_what_a_person_must_correct_is_not_hidden_by_another_provider(kind: str) -> None:
    assert RULES[kind].then is Next.NOBODY
    assert RULES[kind].verdict is Verdict.GOOD


@pytest.mark.parametrize("kind", ["quota", "not_configured"])
def test_an_account_that_cannot_be_used_is_cut_off_at_once(kind: str) -> None:
    assert RULES[kind].verdict is Verdict.CUT_OFF
    assert RULES[kind].tries == 1


def test_refused_content_is_shown_to_others_only_when_it_is_shared() -> None:
    assert [kind for kind, rule in RULES.items() if rule.then is Next.IF_SHARED] == [
        "refused_content"
    ]


def test_tries_that_may_be_billed_are_few() -> None:
    """At 2 % of hangs, three tries lose 0.002 % of pictures, two would lose 0.07 %."""
    assert RULES["ambiguous"].tries == 3
    assert RULES["bad_output"].tries == 2


@pytest.mark.parametrize(
    ("error", "billed"),
    [
        (failing("ambiguous"), None),
        (failing("ambiguous", billed_usd=0.0), None),
        (failing("ambiguous", billed_usd=None), None),
        (failing("ambiguous", billed_usd=0.07), 0.07),
        (failing("transient"), 0.0),
        (failing("bad_output", billed_usd=0.04), 0.04),
        (failing("refused_content", billed_usd=None), None),
        (NotConfigured("No key."), 0.0),
    ],
)
def test_a_bill_is_never_made_up(
    error: ProviderError | NotConfigured, billed: float | None
) -> None:
    assert possible_spend(error) == billed


def test_a_missing_key_is_a_kind_like_the_others() -> None:
    error = NotConfigured("No key.")
    assert kind_of(error) == "not_configured"
    assert rule_of(error) is RULES["not_configured"]
