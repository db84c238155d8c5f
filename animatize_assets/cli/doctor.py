"""``animatize doctor``: whether what is configured can work, and what expires soon."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, Literal

from rich.table import Table

from animatize_assets.cli.terminal import Terminal
from animatize_assets.errors import AnimatizeError
from animatize_assets.generation.catalogue import Catalogue, load_catalogue
from animatize_assets.generation.picture_call import key_of
from animatize_assets.generation.reachability import checked_address
from animatize_assets.generation.reachability import reach as asked
from animatize_assets.pipeline.generation_setup import PAID, ProviderSetup, missing
from animatize_assets.workplace.opening import Workplace, open_workplace

Verdict = Literal["ok", "warning", "failed", "not configured"]


def doctor(terminal: Terminal, *, reach: bool) -> int:
    """Print every finding; 1 when something that is configured cannot work."""
    workplace, catalogue = open_workplace(), load_catalogue()
    findings = [
        finding for name in PAID for finding in _provider(workplace, catalogue, name, ask=reach)
    ]
    findings += _fallbacks(workplace)
    findings += _texts(workplace, catalogue)
    findings += _files(workplace)
    terminal.document({"findings": findings})
    table = Table(box=None, pad_edge=False)
    for column in ("what", "verdict", "why"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        table.add_row(finding["what"], finding["verdict"], finding["why"])
    terminal.say(table)
    return 1 if any(finding["verdict"] == "failed" for finding in findings) else 0


def _finding(what: str, verdict: Verdict, why: str) -> dict[str, Any]:
    return {"what": what, "verdict": verdict, "why": why}


def _provider(
    workplace: Workplace, catalogue: Catalogue, name: str, *, ask: bool
) -> list[dict[str, Any]]:
    how = workplace.generation.providers.get(name, ProviderSetup())
    lacks = missing(name, how)
    if lacks:
        return [_finding(name, "not configured", lacks)]
    findings = [_model(catalogue, name, how.model)]
    if name == "comfyui":
        findings.append(_workflow(how))
    return [*findings, _access(name, how, ask=ask)]


def _access(name: str, how: ProviderSetup, *, ask: bool) -> dict[str, Any]:
    """Judge address and key by their looks; ``ask`` also asks the provider."""
    what = f"{name}: address and key" if how.api_key else f"{name}: address"
    try:
        checked_address(name, how.base_url)
        if how.api_key is not None:
            key_of(how.api_key, name)
        if not ask:
            return _finding(what, "ok", "not asked; --reach asks")
        reached = asyncio.run(asked(name, how.base_url, how.api_key))
    except AnimatizeError as error:
        return _finding(what, "failed", error.message)
    return _finding(what, "ok" if reached.ok else "failed", reached.says)


def _fallbacks(workplace: Workplace) -> list[dict[str, Any]]:
    """Warn of fallbacks that would be passed over."""
    setup = workplace.generation
    lacking = {
        name: missing(name, setup.providers.get(name, ProviderSetup())) for name in setup.fallback
    }
    return [
        _finding(f"fallback: {name}", "warning", f"it is passed over: {lacks}")
        for name, lacks in lacking.items()
        if lacks
    ]


def _model(catalogue: Catalogue, provider: str, named: str | None) -> dict[str, Any]:
    """Judge the model of a provider: retired ones fail, ending ones warn."""
    today = datetime.now(UTC).date()
    name = named or catalogue.default(provider).model
    what = f"{provider}: {name}"
    try:
        model = catalogue.get(provider, name, today)
    except AnimatizeError as error:
        return _finding(what, "failed", error.message)
    ending = model.warning(today)
    return _finding(what, "warning" if ending else "ok", ending or "in the catalogue, not ending")


def _texts(workplace: Workplace, catalogue: Catalogue) -> list[dict[str, Any]]:
    """Judge the text models, when there is a key for them."""
    if missing("openai", workplace.generation.providers["openai"]):
        return []
    setup = workplace.generation
    return [
        _model(catalogue, "openai", name)
        for name in (setup.expansion_model, setup.expansion_draft_model)
    ]


def _workflow(how: ProviderSetup) -> dict[str, Any]:
    from animatize_assets.generation.comfyui_workflow import Workflow  # noqa: PLC0415 - if asked

    if how.workflow is None:
        return _finding("comfyui: workflow", "failed", "set ANIMATIZE_COMFYUI_WORKFLOW")
    try:
        Workflow.load(how.workflow)
    except AnimatizeError as error:
        return _finding("comfyui: workflow", "failed", error.message)
    return _finding("comfyui: workflow", "ok", "its slots can be filled in")


def _files(workplace: Workplace) -> list[dict[str, Any]]:
    """Judge the optional files that are named."""
    settings = workplace.settings
    named = {
        "ANIMATIZE_DEPTH_MODEL": settings.depth_model,
        "ANIMATIZE_FACE_MODEL": settings.face_model,
        "ANIMATIZE_SENTENCE_MODEL": settings.sentence_model,
    }
    return [
        _finding(name, "ok", "it is there")
        if path.exists()
        else _finding(name, "failed", f"there is no '{path}'")
        for name, path in named.items()
        if path is not None
    ]
