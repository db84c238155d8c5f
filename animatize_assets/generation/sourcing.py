"""Where a picture comes from: the result store, or a provider.

Belongs here: the order of looking. Does not belong here: how a store finds (``result_store``),
which text may stand for which (``semantic``), who is asked and how often (``router``).
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from animatize_assets.errors import BudgetExceeded, NotConfigured, ProviderError
from animatize_assets.generation.kept_picture import KeptPicture
from animatize_assets.generation.models import (
    Attempt,
    Delivery,
    MadePicture,
    PictureRequest,
    Reuse,
)

if TYPE_CHECKING:
    from animatize_assets.generation.across_runs import AcrossRuns
    from animatize_assets.generation.journey import Keep
    from animatize_assets.generation.provider import PictureProvider
    from animatize_assets.generation.request_log import RequestLog, RequestOutcome
    from animatize_assets.generation.result_store import ResultStore
    from animatize_assets.generation.semantic.reuse import Reuser
    from animatize_assets.generation.shadowing import Shadow
    from animatize_assets.generation.single_flight import SingleFlight
    from animatize_assets.generation.studio import Studio

_log = logging.getLogger(__name__)

SUGGESTED = 3
"""Similar pictures that are named when one had to be made."""

SHOWN_CHARACTERS = 100
"""Of a text that is only suggested."""


@dataclass(frozen=True)
class PictureOrder:
    """A request, and what is needed beside it to answer it from a store."""

    request: PictureRequest
    provider: str
    """The provider that was asked for."""
    structured: Mapping[str, object]
    """Everything that determines the picture but the free text of the prompt, as JSON."""
    style: str = ""
    run_id: str | None = None


@dataclass(frozen=True)
class Obtained:
    """A picture, and how it was come by."""

    made: MadePicture
    attempts: tuple[Attempt, ...]
    reuse: Reuse | None = None
    """None when it was made for this request."""


@dataclass(frozen=True)
class Caches:
    """Where paid pictures are kept, and when they may be reused."""

    results: ResultStore
    flights: SingleFlight
    reuser: Reuser
    shadow: Shadow | None = None
    """What finds out how often reuse is wrong; None: nothing is made for that."""


@dataclass(frozen=True)
class PictureSource:
    """Answers picture orders. Safe to use from several threads at once.

    ``order_of``: which providers are asked, one after the other, for a picture of a given one.
    ``at_once``: how many calls each provider takes at the same time.
    """

    studio: Studio
    providers: Mapping[str, PictureProvider]
    order_of: Callable[[str], Sequence[str]]
    at_once: Mapping[str, int] = field(default_factory=dict)
    unavailable: Mapping[str, str] = field(default_factory=dict)
    """Provider -> what would have to be done to use it."""
    unusable: Mapping[str, str] = field(default_factory=dict)
    """Provider that is set up -> why it cannot be used as it is: a key that is none, a retired
    model. Only pictures that would be asked of it are refused."""
    caches: Caches | None = None
    log: RequestLog | None = None
    deadline_s: float = 900.0
    across_runs: AcrossRuns | None = None
    """Counts the places that a provider has for all runs together; None: nobody does."""

    def provider(self, name: str) -> PictureProvider:
        """Return the provider ``name``.

        Raises:
            NotConfigured: it is not set up, or unusable; the sentence says what is missing.
        """
        if name in self.providers:
            return self.providers[name]
        if name in self.unusable:
            raise NotConfigured(self.unusable[name])
        remedy = self.unavailable.get(name, "it is no provider of this project")
        there = ", ".join(sorted(self.providers)) or "none"
        raise NotConfigured(f"Provider '{name}' is not configured: {remedy}. There is: {there}.")

    def check(self, asked: str) -> None:
        """Return when all providers that a picture of ``asked`` may come from can be used.

        Raises:
            NotConfigured: one of them is unusable, or ``asked`` is not set up.
        """
        self.provider(asked)
        for name in self.order_of(asked):
            self.provider(name)

    def without_caches(self) -> PictureSource:
        """Return a source that makes every picture."""
        return replace(self, caches=None)

    def among(self, is_asked: Callable[[str], bool]) -> PictureSource:
        """Return a source that asks only providers of which ``is_asked`` is true."""
        order_of = self.order_of
        return replace(
            self, order_of=lambda name: [each for each in order_of(name) if is_asked(each)]
        )

    def obtain(self, order: PictureOrder) -> Obtained:
        """Find or make the picture; every order is logged, whatever comes of it.

        Raises:
            ProviderError: no provider delivered; the sentence tells every attempt.
            BudgetExceeded: the call could pass a limit.
            NotConfigured: the provider is not set up, or it or a fallback is unusable.
        """
        self.check(order.provider)
        try:
            obtained = self._obtain(order)
        except Exception:
            self._write_down(order, None)
            raise
        self._write_down(order, obtained)
        return obtained

    def _obtain(self, order: PictureOrder) -> Obtained:
        # A picture of the local provider costs nothing and is kept as an artefact anyway.
        if self.caches is None or order.provider == "local":
            return self._made(order)
        if found := self._kept(order, self.caches):
            _count(found, self.caches)
            return self._in_the_shadow(order, self.caches, found)
        try:
            with self.caches.flights.hold(order.request.fingerprint, self.deadline_s) as first:
                found = None if first else self._kept(order, self.caches)
                _count(found, self.caches)
                if found is not None:
                    return found
                # Before anything is paid: a sentence model that is not there is told now.
                notes = _suggestions(order, self.caches)
                obtained = self._made(order, keep=partial(self._keep, order, self.caches))
                made = replace(obtained.made, notes=(*obtained.made.notes, *notes))
                return replace(obtained, made=made)
        except TimeoutError as error:
            raise ProviderError(str(error), kind="transient") from error

    def _made(self, order: PictureOrder, keep: Keep | None = None) -> Obtained:
        delivery = self._delivered(order, self.order_of(order.provider), keep)
        return Obtained(delivery.made, delivery.attempts)

    def _delivered(self, order: PictureOrder, asked: Sequence[str], keep: Keep | None) -> Delivery:
        return self.studio.deliver(
            order.request, asked, run_id=order.run_id, keep=keep, across_runs=self.across_runs
        )

    def _in_the_shadow(self, order: PictureOrder, caches: Caches, found: Obtained) -> Obtained:
        """Make a share of what is reused after all, compare, and say what came of it.

        A reused picture that turns out to be another one is not served: the one made is. What
        cannot be made costs nobody the picture that was found.
        """
        reuse, shadow = found.reuse, caches.shadow
        fingerprint = order.request.fingerprint
        if shadow is None or reuse is None or not shadow.wants(fingerprint, reuse.level):
            return found
        try:
            with caches.flights.hold(fingerprint, self.deadline_s) as first:
                if not first:  # another process has just done this
                    return found
                keep = partial(self._keep, order, caches)
                delivery = self._delivered(order, [order.provider], keep)
        except (ProviderError, BudgetExceeded, NotConfigured, TimeoutError) as error:
            note = f"It was to be made in the shadow to see whether its reuse is right: {error}"
            _log.warning("%s: %s", order.request.image_key, note)
            return replace(found, made=replace(found.made, notes=(*found.made.notes, note)))
        made = delivery.made
        compared = shadow.compare(
            order.request.image_key, reuse.level, found.made.content, made.content
        )
        told = f"made in the shadow, too, it differs by {compared.difference:.2f} of 1"
        if compared.wrong:
            note = f"Not reused ({reuse.level}): {told}, which is another picture."
            return Obtained(replace(made, notes=(*made.notes, note)), delivery.attempts)
        note = f"Reused ({reuse.level}) rightly: {told}."
        kept = replace(found.made, notes=(*found.made.notes, note))
        return Obtained(kept, delivery.attempts, reuse)

    def _kept(self, order: PictureOrder, caches: Caches) -> Obtained | None:
        """Return a stored picture that may serve, the most alike first."""
        text = _text_of(order.request)
        decision = caches.reuser.find(
            order.request.fingerprint, structured_key(order.structured), text
        )
        if decision is None:
            return None
        found = caches.results.get(decision.result_key)
        if found is None:  # it went, or was damaged, a moment ago
            return None
        made = KeptPicture.model_validate_json(found.result.record).served(found.content)
        if decision.warning:
            made = replace(made, notes=(*made.notes, decision.warning))
        return Obtained(made, (), decision.as_reuse(order.request.image_key))

    def _keep(self, order: PictureOrder, caches: Caches, delivery: Delivery) -> None:
        """Keep a picture before its call is settled: what was paid is never lost."""
        if delivery.made.provider == "local":
            return  # no answer to this request tomorrow, and free
        about = caches.reuser.about(
            structured_key(order.structured),
            _text_of(order.request),
            record=KeptPicture.of(delivery.made).model_dump_json(),
            image_key=order.request.image_key,
        )
        caches.results.put(order.request.fingerprint, delivery.made.content, about)

    def _write_down(self, order: PictureOrder, obtained: Obtained | None) -> None:
        if self.log is None:
            return
        from animatize_assets.generation.request_log import LoggedRequest

        request = order.request
        outcome: RequestOutcome = "failed"
        if obtained is not None:
            outcome = obtained.reuse.level if obtained.reuse else "made"
        self.log.write(
            LoggedRequest(
                image_key=request.image_key,
                target=request.prompt.target,
                style=order.style,
                provider=order.provider,
                model=self.providers[order.provider].model,
                width=request.width,
                height=request.height,
                movement=request.camera_path.move,
                outcome=outcome,
                run_id=order.run_id,
                made_by=obtained.made.provider if obtained else None,
                cost_usd=_cost(obtained) if obtained else None,
                result_key=request.fingerprint or None,
            )
        )


def _count(found: Obtained | None, caches: Caches) -> None:
    caches.reuser.count(found.reuse.level if found and found.reuse else None)


def _cost(obtained: Obtained) -> float | None:
    """Return what this request cost: unknown when a call's cost is, 0 when none was made."""
    costs = [each.cost_usd for each in obtained.attempts]
    return None if None in costs else math.fsum(cost for cost in costs if cost is not None)


def _suggestions(order: PictureOrder, caches: Caches) -> tuple[str, ...]:
    """Name pictures of similar texts, which are not reused without being asked for.

    Raises:
        NotConfigured: the sentence model's files or packages are not there.
    """
    if caches.reuser.level == "similar":
        return ()  # it would have been reused
    key, text = structured_key(order.structured), _text_of(order.request)
    return tuple(
        f"A picture of a similar text is there (cosine {each.similarity:.3f}; "
        f"'{each.text[:SHOWN_CHARACTERS]}'); ANIMATIZE_SEMANTIC_REUSE=similar would take it."
        for each in caches.reuser.suggestions(key, text)[:SUGGESTED]
    )


def structured_key(structured: Mapping[str, object]) -> str:
    """SHA-256 of everything structured, as canonical JSON."""
    text = json.dumps(structured, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _text_of(request: PictureRequest) -> str:
    return request.prompt.positive


def derive_seed(image_key: str, seed: int, provider: str, model: str) -> int:
    """Return the seed that an API call carries: the same for the same image and settings.

    31 bits: every provider of the catalogue that takes a seed takes these.
    """
    told = f"{image_key}\n{seed}\n{provider}\n{model}"
    return int.from_bytes(hashlib.sha256(told.encode()).digest()[:4]) >> 1
