"""What the doctor says of providers, their models, and the files that are named for models."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from animatize_assets.errors import AnimatizeError
from animatize_assets.generation.catalogue import Catalogue, load_catalogue
from animatize_assets.generation.picture_call import key_of
from animatize_assets.generation.reachability import checked_address
from animatize_assets.generation.reachability import reach as asked
from animatize_assets.pipeline.generation_setup import PAID, ProviderSetup, missing
from animatize_assets.workplace.checkup import Finding, Verdict
from animatize_assets.workplace.opening import Workplace

REMEDIES: dict[Verdict, str] = {
    "ok": "",
    "not configured": "",
    "warning": "Mend it before it matters: docs/providers.md.",
    "error": "Mend the variable (docs/providers.md), then ask again: animatize doctor --reach",
}


def check_providers(workplace: Workplace, *, ask: bool) -> list[Finding]:
    """Judge every provider; ``ask`` also asks them, which costs nothing."""
    catalogue = load_catalogue()
    findings = [
        finding for name in PAID for finding in _provider(workplace, catalogue, name, ask=ask)
    ]
    return [
        *findings,
        *_fallbacks(workplace),
        *_texts(workplace, catalogue),
        *_files(workplace),
    ]


def _finding(what: str, verdict: Verdict, why: str) -> Finding:
    return Finding(what=what, verdict=verdict, why=why, remedy=REMEDIES[verdict])


def _provider(workplace: Workplace, catalogue: Catalogue, name: str, *, ask: bool) -> list[Finding]:
    how = workplace.generation.providers.get(name, ProviderSetup())
    lacks = missing(name, how)
    if lacks:
        return [_finding(name, "not configured", lacks)]
    findings = [_model(catalogue, name, how.model)]
    if name == "comfyui":
        findings.append(_workflow(how))
    return [*findings, _access(name, how, ask=ask)]


def _access(name: str, how: ProviderSetup, *, ask: bool) -> Finding:
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
        return _finding(what, "error", error.message)
    return _finding(what, "ok" if reached.ok else "error", reached.says)


def _fallbacks(workplace: Workplace) -> list[Finding]:
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


def _model(catalogue: Catalogue, provider: str, named: str | None) -> Finding:
    """Judge the model of a provider: retired ones fail, ending ones warn."""
    today = datetime.now(UTC).date()
    name = named or catalogue.default(provider).model
    what = f"{provider}: {name}"
    try:
        model = catalogue.get(provider, name, today)
    except AnimatizeError as error:
        return _finding(what, "error", error.message)
    ending = model.warning(today)
    return _finding(what, "warning" if ending else "ok", ending or "in the catalogue, not ending")


def _texts(workplace: Workplace, catalogue: Catalogue) -> list[Finding]:
    """Judge the text models, when there is a key for them."""
    if missing("openai", workplace.generation.providers["openai"]):
        return []
    setup = workplace.generation
    return [
        _model(catalogue, "openai", name)
        for name in (setup.expansion_model, setup.expansion_draft_model)
    ]


def _workflow(how: ProviderSetup) -> Finding:
    from animatize_assets.generation.comfyui_workflow import Workflow  # noqa: PLC0415 - if asked

    if how.workflow is None:
        return _finding("comfyui: workflow", "error", "set ANIMATIZE_COMFYUI_WORKFLOW")
    try:
        Workflow.load(how.workflow)
    except AnimatizeError as error:
        return _finding("comfyui: workflow", "error", error.message)
    return _finding("comfyui: workflow", "ok", "its slots can be filled in")


def _files(workplace: Workplace) -> list[Finding]:
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
        else _finding(name, "error", f"there is no '{path}'")
        for name, path in named.items()
        if path is not None
    ]
