"""A token is shown once; what is kept cannot be used instead of it."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from animatize_assets.errors import InvalidSetting
from animatize_assets.web.sessions import LIFETIME_S, MOST_SESSIONS, Sessions
from animatize_assets.web.tokens import TokenFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "web" / "tokens.json"


def test_a_token_is_found_and_not_kept(path: Path) -> None:
    token = TokenFile(path).add("studio", "write")
    found = TokenFile(path).find(token)
    assert found is not None
    assert (found.name, found.scope) == ("studio", "write")
    assert token not in path.read_text()
    assert TokenFile(path).find(found.sha256) is None
    assert not stat.S_IMODE(path.parent.stat().st_mode) & 0o077


def test_tokens_of_others_stay(path: Path) -> None:
    tokens = TokenFile(path)
    first, second = tokens.add("a", "read"), tokens.add("b", "write")
    assert first != second
    assert tokens.remove("a")
    assert not tokens.remove("a")
    assert tokens.find(first) is None
    assert tokens.find(second) is not None


def test_another_process_sees_what_was_made_and_removed(path: Path) -> None:
    serving, command = TokenFile(path), TokenFile(path)
    assert serving.tokens() == ()
    token = command.add("a", "read")
    assert serving.find(token) is not None
    command.remove("a")
    assert serving.find(token) is None


@pytest.mark.parametrize("name", ["", "two words", "a" * 65, "semi;colon", "ünï"])
def test_a_name_that_is_none_is_refused(path: Path, name: str) -> None:
    with pytest.raises(InvalidSetting, match="name"):
        TokenFile(path).add(name, "read")
    assert not path.exists()


def test_a_name_is_taken_once(path: Path) -> None:
    tokens = TokenFile(path)
    tokens.add("a", "read")
    with pytest.raises(InvalidSetting, match="already"):
        tokens.add("a", "write")


@pytest.mark.parametrize("content", ["", "{}", '[{"name": "a"}]', "\0"])
def test_a_file_that_somebody_else_wrote_opens_nothing(path: Path, content: str) -> None:
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(InvalidSetting, match="no list of access tokens"):
        TokenFile(path).find("anything")


def test_a_file_that_cannot_be_read_is_told_with_the_remedy(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(InvalidSetting, match=r"cannot be read: Is a directory.*make them anew"):
        TokenFile(path).tokens()


def test_two_that_are_made_at_once_are_both_kept(path: Path) -> None:
    names = [f"token-{number}" for number in range(8)]
    with ThreadPoolExecutor(len(names)) as pool:
        made = list(pool.map(lambda name: TokenFile(path).add(name, "read"), names))
    assert {each.name for each in TokenFile(path).tokens()} == set(names)
    assert all(TokenFile(path).find(token) for token in made)


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_session_ends_by_itself(path: Path) -> None:
    clock = Clock()
    sessions = Sessions(clock)
    tokens = TokenFile(path)
    token = tokens.find(tokens.add("a", "read"))
    assert token is not None
    session_id = sessions.begin(token)
    clock.seconds = LIFETIME_S - 1
    assert sessions.find(session_id) == token
    clock.seconds = LIFETIME_S
    assert sessions.find(session_id) is None


def test_sessions_are_bounded(path: Path) -> None:
    sessions = Sessions(Clock())
    tokens = TokenFile(path)
    token = tokens.find(tokens.add("a", "read"))
    assert token is not None
    ids = [sessions.begin(token) for _ in range(MOST_SESSIONS + 1)]
    assert sum(sessions.find(each) is not None for each in ids) == MOST_SESSIONS
    assert sessions.find(ids[-1]) == token
