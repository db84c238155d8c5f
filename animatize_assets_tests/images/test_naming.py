"""Names derived from names: always usable, whatever a file is called."""

from __future__ import annotations

import hashlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animatize_assets.images.naming import (
    content_hash,
    displayable,
    is_image_key,
    make_image_key,
    slugify,
)

ANY_NAME = st.text(max_size=300)
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Café Paris.JPG", "cafe-paris"),
        ("-rf --no-preserve-root.png", "rf-no-preserve-root"),
        ("日本.jpg", "image"),
        (".jpg", "jpg"),
        ("", "image"),
        ("IMG_2024 (1).final.jpeg", "img-2024-1-final"),
        ("a" * 60 + ".png", "a" * 40),
        ("a" * 39 + "-b.png", "a" * 39),
        ("C:\\photos\\x.bmp", "c-photos-x"),
        ("ﬁne.png", "fine"),
        ("tab\tnew\nline.png", "tab-new-line"),
    ],
)
def test_a_slug_keeps_what_it_can(name: str, slug: str) -> None:
    assert slugify(name) == slug


@given(name=ANY_NAME)
def test_every_name_gives_a_slug(name: str) -> None:
    slug = slugify(name)
    assert 1 <= len(slug) <= 40
    assert SLUG.match(slug)
    assert slugify(slug) == slug


@given(name=ANY_NAME, content=st.binary())
def test_every_name_gives_an_image_key(name: str, content: bytes) -> None:
    sha256 = content_hash(content)
    assert sha256 == hashlib.sha256(content).hexdigest()
    key = make_image_key(name, sha256)
    assert is_image_key(key)
    assert key.endswith("-" + sha256[:16])
    assert len(key) <= 57


@pytest.mark.parametrize(
    "text",
    ["", "image", "image-0123", "-0123456789abcdef", "Image-0123456789abcdef",
     "a--0123456789abcdef", "a" * 41 + "-0123456789abcdef", "a-0123456789abcdef\n",
     "../a-0123456789abcdef"],
)  # fmt: skip
def test_what_is_no_image_key(text: str) -> None:
    assert not is_image_key(text)


@given(name=st.text(st.characters(exclude_categories=()), max_size=50))
def test_every_name_can_be_shown(name: str) -> None:
    json.dumps(displayable(name)).encode()
    displayable(name).encode("utf-8")


@given(name=ANY_NAME)
def test_an_ordinary_name_is_shown_as_it_is(name: str) -> None:
    assert displayable(name) == name


def test_a_name_that_is_not_utf8_shows_its_bytes() -> None:
    assert displayable(b"caf\xe9.jpg".decode("utf-8", "surrogateescape")) == "caf\\xe9.jpg"
