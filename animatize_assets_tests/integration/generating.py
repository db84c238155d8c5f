"""Real providers, a real router and a real ledger against the loopback server.

Belongs here: what the tests under faults, the tests with killed processes and the benchmarks share.
Does not belong here: any assertion.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr
from sqlalchemy import Engine, event

from animatize_assets.database.engine import open_engine
from animatize_assets.database.migration import upgrade
from animatize_assets.generation.catalogue import load_catalogue
from animatize_assets.generation.comfyui import ComfyUIPictures
from animatize_assets.generation.comfyui_workflow import Workflow
from animatize_assets.generation.flux import FluxPictures
from animatize_assets.generation.imagen import ImagenPictures
from animatize_assets.generation.models import PictureRequest
from animatize_assets.generation.openai_pictures import OpenAIPictures
from animatize_assets.generation.policy import Policy
from animatize_assets.generation.polling import Sleep
from animatize_assets.generation.provider import PictureProvider
from animatize_assets_tests.generation.requests import picture_request

TODAY = date(2026, 11, 21)
"""The providers' facts are of this day, and so are the models that the loopback server has."""

FAST = Policy(first_backoff_s=0.005, longest_backoff_s=0.05, call_timeout_s=5.0, least_call_s=0.0)
"""The loopback server answers in milliseconds; what waits for it need not wait seconds."""

GRAPH = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "{{image}}"}},
    "2": {
        "class_type": "ImageScale",
        "inputs": {
            "image": ["1", 0],
            "upscale_method": "lanczos",
            "width": "{{width}}",
            "height": "{{height}}",
            "crop": "center",
        },
    },
    "3": {
        "class_type": "SaveImage",
        "inputs": {"images": ["2", 0], "filename_prefix": "animatize"},
    },
}


class Addresses(Protocol):
    """Where a loopback server is, in this process or in another one."""

    @property
    def openai_url(self) -> str: ...
    @property
    def flux_url(self) -> str: ...
    @property
    def gemini_url(self) -> str: ...
    @property
    def comfyui_url(self) -> str: ...
    @property
    def keys(self) -> Mapping[str, str]: ...


async def brief(seconds: float) -> None:
    """Look again sooner than a real provider is asked: this one answers in milliseconds."""
    await asyncio.sleep(seconds / 50)


@cache
def _pattern() -> PictureRequest:
    return picture_request()


def request_of(number: int, *, width: int = 256, height: int = 256) -> PictureRequest:
    """Return the request of that number: its prompt says so, and no other has its fingerprint."""
    pattern = _pattern()
    text = f"picture {number:05d}, the camera trucks left"
    return replace(
        pattern,
        image_key=f"test-{number:016x}",
        prompt=pattern.prompt.model_copy(update={"positive": text}),
        width=width,
        height=height,
        with_source=False,
        fingerprint=hashlib.sha256(f"{text} {width}x{height}".encode()).hexdigest(),
    )


def number_in(about: str) -> int:
    """Return the number of the request that a line of the bill is about."""
    _, _, rest = about.partition("picture ")
    return int(rest[:5])


def provider_of(
    name: str,
    server: Addresses,
    *,
    model: str | None = None,
    sleep: Sleep = asyncio.sleep,
) -> PictureProvider:
    """Return the provider ``name`` (a router's name, or ``name/model``), set up for the server."""
    name, _, wanted = name.partition("/")
    catalogue = load_catalogue()
    chosen = wanted or model
    keys = {own: SecretStr(key) for own, key in server.keys.items()}
    if name == "comfyui":
        return ComfyUIPictures(server.comfyui_url, Workflow.load(GRAPH), sleep=sleep)
    found = catalogue.get(name, chosen, TODAY) if chosen else catalogue.default(name)
    if name == "openai":
        return OpenAIPictures(keys["openai"], server.openai_url, found, edit=False)
    if name == "imagen":
        return ImagenPictures(keys["gemini"], server.gemini_url, found)
    return FluxPictures(keys["flux"], server.flux_url, found, sleep=sleep)


def migrated(database: Path | str, *, durable: bool = True) -> Engine:
    """Return a database, a file or a URL, at the newest revision.

    ``durable`` False leaves it to the system when bytes reach the disk: for thousands of calls of
    a process that is not killed.
    """
    engine = open_engine(database if isinstance(database, str) else f"sqlite:///{database}")
    if not durable:
        event.listen(engine, "connect", _leave_to_the_system)
    upgrade(engine)
    return engine


def _leave_to_the_system(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")
