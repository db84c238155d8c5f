"""The command makes and removes tokens, and does not open the door to everybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from animatize_assets.web.tokens import FILE, TokenFile
from animatize_assets_tests.cli.conftest import Animatize


@pytest.fixture
def tokens(data_dir: Path) -> TokenFile:
    return TokenFile(data_dir / FILE)


def test_a_token_is_made_and_removed(animatize: Animatize, tokens: TokenFile) -> None:
    made = animatize("serve", "--new-token", "studio", "--scope", "write", "--json")
    assert made.code == 0
    told = made.document
    found = tokens.find(told["token"])
    assert found is not None
    assert (found.name, found.scope) == ("studio", "write")
    assert animatize("serve", "--new-token", "studio").code == 2
    assert animatize("serve", "--remove-token", "studio").code == 0
    assert tokens.find(told["token"]) is None
    gone = animatize("serve", "--remove-token", "studio", "--json")
    assert gone.code == 1
    assert gone.document["error"]["code"] == "token_not_found"


def test_a_token_may_only_read_unless_it_is_said(animatize: Animatize, tokens: TokenFile) -> None:
    shown = animatize("serve", "--new-token", "grafana")
    found = tokens.find(shown.out.strip())
    assert found is not None
    assert found.scope == "read"


def test_off_loopback_it_does_not_start_without_a_token(animatize: Animatize) -> None:
    refused = animatize("serve", "--host", "0.0.0.0", "--json")
    assert refused.code == 1
    assert refused.document["error"]["code"] == "not_configured"


@pytest.mark.parametrize(
    "options",
    [
        ["--scope", "read"],
        ["--new-token", "a", "--remove-token", "b"],
        ["--new-token", "two words"],
        ["--port", "70000"],
    ],
)
def test_wrong_usage(animatize: Animatize, options: list[str]) -> None:
    assert animatize("serve", *options).code == 2
