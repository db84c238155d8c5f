"""Real clients are cut off in the middle; reconciliation agrees with the server's bill."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from animatize_assets.generation.catalogue import load_catalogue
from animatize_assets.generation.comfyui import ComfyUIPictures
from animatize_assets.generation.comfyui_workflow import Workflow
from animatize_assets.generation.flux import RESULTS_KEPT, FluxPictures
from animatize_assets.generation.ledger import SqlLedger
from animatize_assets.generation.models import Call, MadePicture, Resume
from animatize_assets.generation.money import to_nanousd
from animatize_assets.generation.provider import PictureProvider
from animatize_assets.generation.reconciliation import FORGETTING_MARGIN, claims_of, reconcile
from animatize_assets.generation.single_flight import SingleFlight
from animatize_assets_tests.generation.ledgers import Clock, ledger_of, planned
from animatize_assets_tests.generation.quick_time import QuickTime
from animatize_assets_tests.generation.requests import picture_request
from animatize_assets_tests.generation.workflows import scaling
from animatize_assets_tests.loopback.server import LoopbackServer, loopback_server
from animatize_assets_tests.loopback.world import KEYS

MODEL = load_catalogue().models["flux/flux-2-pro"]


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with loopback_server() as running:
        yield running


@contextmanager
def clients(server: LoopbackServer) -> Iterator[dict[str, FluxPictures | ComfyUIPictures]]:
    """Both providers, for one event loop."""
    quick = QuickTime()
    yield {
        "flux": FluxPictures(
            SecretStr(KEYS["flux"]), server.flux_url, MODEL, clock=quick.clock, sleep=quick.sleep
        ),
        "comfyui": ComfyUIPictures(
            server.comfyui_url, Workflow.load(scaling(), name="test"),
            clock=quick.clock, sleep=quick.sleep,
        ),
    }  # fmt: skip


async def paid_call(
    ledger: SqlLedger, provider: PictureProvider, number: int, *, killed: str | None
) -> None:
    """One call as the router makes it, ended where ``killed`` says."""
    request = picture_request(width=640, height=368)
    call_id = ledger.open_call(
        planned(
            provider=provider.name,
            model=provider.model,
            fingerprint=f"{provider.name}-{number}",
            expected_usd=provider.expected_cost_usd(request),
        )
    )

    def note(remote_id: str, resume: Resume) -> None:
        if killed == "before noting":
            raise Killed
        ledger.note_remote(call_id, remote_id, resume)
        if killed == "after noting":
            raise Killed

    try:
        made = await provider.make(request, Call(timeout_s=60, note_remote=note))
    except Killed:
        return
    if killed is None:
        ledger.settle(call_id, cost_usd=made.cost_usd, usage=made.usage)


def after_kills(
    server: LoopbackServer, ledger: SqlLedger, kills: list[tuple[str, str | None]]
) -> None:
    async def work() -> None:
        with clients(server) as providers:
            for number, (name, killed) in enumerate(kills):
                await paid_call(ledger, providers[name], number, killed=killed)
            for provider in providers.values():
                await provider.close()

    asyncio.run(work())


def reconciled(
    server: LoopbackServer,
    ledger: SqlLedger,
    folder: Path,
    keep: Callable[[str, MadePicture], None],
    clock: Clock,
) -> dict[str, str]:
    async def work() -> dict[str, str]:
        with clients(server) as providers:
            found = await reconcile(
                ledger, providers, keep, claims_of(SingleFlight(folder)),
                kept_for={"flux": RESULTS_KEPT}, now=clock,
            )  # fmt: skip
            for provider in providers.values():
                await provider.close()
            return {each.row.fingerprint: each.found for each in found}

    return asyncio.run(work())


def test_nothing_paid_is_lost_and_the_bill_agrees(server: LoopbackServer, tmp_path: Path) -> None:
    kept: dict[str, bytes] = {}
    clock = Clock()
    with ledger_of(tmp_path, clock=clock, per_run_usd=1.0) as ledger:
        after_kills(
            server, ledger,
            [
                ("flux", None),
                ("flux", "after noting"),
                ("flux", "before settling"),
                ("comfyui", None),
                ("comfyui", "after noting"),
                ("comfyui", "before settling"),
            ],
        )  # fmt: skip
        assert len(ledger.open_rows()) == 4
        found = reconciled(
            server, ledger, tmp_path, lambda name, made: kept.update({name: made.content}), clock
        )
        assert found == {
            "flux-1": "fetched",
            "flux-2": "fetched",
            "comfyui-4": "never_known",  # it notes its own id before it submits
            "comfyui-5": "fetched",
        }
        assert set(kept) == {"flux-1", "flux-2", "comfyui-5"}
        assert ledger.open_rows() == ()
        billed = sum(charge.cost_nanousd for charge in server.bill)
        assert to_nanousd(ledger.spent_usd()) == billed > 0
        assert len(server.calls("flux.submit")) == 3


def test_what_was_billed_and_never_named_is_one_open_row_until_it_is_forgotten(
    server: LoopbackServer, tmp_path: Path
) -> None:
    clock = Clock()
    with ledger_of(tmp_path, clock=clock) as ledger:
        after_kills(server, ledger, [("flux", "before noting"), ("flux", None)])
        found = reconciled(server, ledger, tmp_path, {}.__setitem__, clock)
        assert found == {"flux-0": "unknown"}
        (row,) = ledger.open_rows()
        assert row.fingerprint == "flux-0"
        check_bill(server, ledger)
        clock.now += RESULTS_KEPT + FORGETTING_MARGIN - timedelta(seconds=1)
        assert reconciled(server, ledger, tmp_path, {}.__setitem__, clock) == found
        clock.advance(seconds=1)
        found = reconciled(server, ledger, tmp_path, {}.__setitem__, clock)
        assert found == {"flux-0": "written_off"}
        assert ledger.open_rows() == ()
        check_bill(server, ledger)


def check_bill(server: LoopbackServer, ledger: SqlLedger) -> None:
    """Settled <= bill <= settled + open + written off."""
    (totals,) = ledger.totals()
    billed = sum(charge.cost_nanousd for charge in server.bill)
    settled = to_nanousd(totals.billed_usd)
    assert settled <= billed <= settled + to_nanousd(totals.possible_usd)
