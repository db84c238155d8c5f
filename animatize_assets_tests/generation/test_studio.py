from __future__ import annotations

import gc
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from animatize_assets.errors import NotConfigured
from animatize_assets.generation.accounting import FreeWork
from animatize_assets.generation.attempts import NothingDelivered
from animatize_assets.generation.models import Delivery
from animatize_assets.generation.policy import Policy
from animatize_assets.generation.router import Configured, Router
from animatize_assets.generation.studio import Studio
from animatize_assets_tests.generation.scripted import (
    MemoryLedger,
    ScriptedProvider,
    always,
    request_for,
)


def studio_of(*providers: ScriptedProvider, ledger: MemoryLedger | None = None) -> Studio:
    return Studio(
        lambda: Router(
            {provider.name: Configured(provider, 8) for provider in providers},
            Policy(first_backoff_s=0.0),
            ledger or FreeWork(),
        )
    )


def test_many_threads_get_their_pictures_from_one_loop() -> None:
    flux, ledger = ScriptedProvider(seconds=0.02), MemoryLedger()
    with studio_of(flux, ledger=ledger) as studio, ThreadPoolExecutor(16) as threads:
        asked = [
            threads.submit(studio.deliver, request_for(f"{n % 20}"), ["flux"]) for n in range(40)
        ]
        made = [each.result() for each in asked]
        assert len(made) == 40
        assert 1 < flux.most_in_flight <= 8
        assert studio.states()[0].load.in_flight == 0
    assert flux.is_closed
    assert ledger.states.keys() == {"settled"}


def test_errors_come_through_with_their_type() -> None:
    with (
        studio_of(ScriptedProvider(outcome=always("quota"), seconds=0)) as studio,
        pytest.raises(NothingDelivered) as raised,
    ):
        studio.deliver(request_for(), ["flux"])
    assert raised.value.kind == "quota"


def test_a_router_that_cannot_be_opened_is_opened_again_for_the_next_one() -> None:
    problems = [NotConfigured("The model is retired; take another one.")]

    def open_router() -> Router:
        if problems:
            raise problems.pop()
        return Router({"flux": Configured(ScriptedProvider(seconds=0))}, Policy(), FreeWork())

    with Studio(open_router) as studio:
        with pytest.raises(NotConfigured, match="retired"):
            studio.deliver(request_for(), ["flux"])
        assert studio.deliver(request_for(), ["flux"]).made.provider == "flux"


def test_closing_ends_what_is_in_flight_and_nothing_comes_after() -> None:
    flux = ScriptedProvider(seconds=60)
    studio = studio_of(flux)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(studio.deliver, request_for(), ["flux"])
        while not flux.in_flight:
            threading.Event().wait(0.01)
        studio.close()
        studio.close()
        with pytest.raises(RuntimeError, match="closed"):
            waiting.result()
    assert flux.in_flight == 0
    assert flux.is_closed
    with pytest.raises(RuntimeError, match="closed"):
        studio.deliver(request_for(), ["flux"])


def test_nothing_starts_before_it_is_needed() -> None:
    before = threading.active_count()
    studio_of(ScriptedProvider()).close()
    assert threading.active_count() == before


def test_a_studio_that_is_forgotten_frees_its_thread() -> None:
    flux = ScriptedProvider(seconds=0)
    studio = studio_of(flux)
    studio.deliver(request_for(), ["flux"])
    forgotten = weakref.ref(studio)
    del studio
    gc.collect()
    assert forgotten() is None
    assert flux.is_closed
    assert "studio" not in [thread.name for thread in threading.enumerate()]


def test_the_loop_itself_must_not_wait_for_the_studio() -> None:
    outcome: list[Exception] = []

    def keep(delivery: Delivery) -> None:
        del delivery

    with studio_of(ScriptedProvider(seconds=0)) as studio:

        def ask_from_the_loop() -> None:
            try:
                studio.deliver(request_for(), ["flux"])
            except RuntimeError as error:
                outcome.append(error)

        studio.deliver(request_for(), ["flux"], keep=keep)
        loop = studio._loop._loop
        assert loop is not None
        done = threading.Event()
        loop.call_soon_threadsafe(lambda: (ask_from_the_loop(), done.set()))
        assert done.wait(5)
    assert "use a thread" in str(outcome[0])


def test_an_interpreter_ends_though_its_studio_is_still_open() -> None:
    """And it ends in order: what is in flight is cancelled, providers are closed."""
    script = """
import threading
from animatize_assets_tests.generation.scripted import ScriptedProvider, request_for
from animatize_assets_tests.generation.test_studio import studio_of

class Told(ScriptedProvider):
    async def close(self):
        print("closed", flush=True)

provider = Told(seconds=600)
studio = studio_of(provider)
asking = threading.Thread(
    target=lambda: studio.deliver(request_for(), ["flux"]), daemon=True
)
asking.start()
while not provider.in_flight:
    pass
threading.excepthook = lambda told: None
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "closed\n"
    assert done.stderr == ""
