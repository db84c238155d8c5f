"""The conversation with Black Forest Labs about one task: submit, poll, fetch.

Three hosts take part: the one that is configured, the one that a task is polled at (it is told in
the answer to the submission), and the one that delivers the picture. The key goes to the first two
only, and to the second only when it is on the list of allowed hosts.

Source: docs.bfl.ai/quick_start/generating_images.

Belongs here: asking, waiting, which host may be sent the key. Does not belong here: what is asked
for (``flux``), what the answers mean (``flux_answers``), retries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from pydantic import SecretStr

from animatize_assets.errors import ProviderError
from animatize_assets.generation.flux_answers import (
    Delivered,
    Task,
    accepted,
    ambiguous,
    gone,
    raise_if_ended,
    refused,
    seed_of,
)
from animatize_assets.generation.http_answers import retry_after_s
from animatize_assets.generation.http_exchange import HttpExchange, Unanswered
from animatize_assets.generation.picture_call import GATEWAY_STATUSES, address_of, key_of
from animatize_assets.generation.verification import media_type_of

if TYPE_CHECKING:
    from animatize_assets.generation.catalogue import ProviderModel
    from animatize_assets.generation.polling import Patience

LOST_AFTER_LOOKS = 3
"""A task may not be known everywhere in the first moment; after three looks it is gone."""

WASTED_FETCHES = 2
"""A finished picture's address is good for ten minutes; polling again gives a fresh one. When that
is of no use either, the picture is gone."""

SUBMIT_S = 60.0
"""Submitting only queues the task; an answer that takes longer is lost."""


class FluxTasks:
    """The service behind one address. The key is never part of an error, a log line or a repr.

    Raises ``NotConfigured`` when the key is none, or when ``base_url`` would carry it unencrypted
    over a network.
    """

    def __init__(self, api_key: SecretStr, base_url: str, allowed_hosts: Sequence[str]) -> None:
        self._key = SecretStr(key_of(api_key, "flux"))
        self._base = address_of(base_url, "flux")
        self._allowed = tuple(pattern.lower() for pattern in allowed_hosts)
        self._http = HttpExchange()
        self._own_host = (urlsplit(self._base).hostname or "").lower()
        self._is_loopback = urlsplit(self._base).scheme == "http"

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def submit(
        self, model: ProviderModel, body: Mapping[str, Any], patience: Patience
    ) -> Task:
        """Submit a task.

        Raises:
            ProviderError: it was not accepted, or (``ambiguous``) nobody knows whether it was.

        """
        try:
            answer = await self._http.post(
                f"{self._base}/v1/{quote(model.model, safe='')}",
                timeout_s=min(SUBMIT_S, patience.left_s),
                headers=self._headers,
                json_body=body,
            )
        except Unanswered as error:
            if error.sent:
                raise ambiguous(f"the submission's answer was lost: {error.reason}") from error
            raise ProviderError(
                f"flux cannot be reached: {error.reason}.", kind="transient"
            ) from error
        if answer.status in GATEWAY_STATUSES:
            raise ambiguous(f"a gateway answered with status {answer.status}")
        if answer.status != 200:
            raise refused(answer, model)
        return accepted(answer.json_object(), f"{self._base}/v1/get_result")

    async def deliver(self, task: Task, patience: Patience) -> Delivered:
        """Poll ``task`` until it ends, and fetch its picture at once.

        Raises:
            ProviderError: it ended without a picture; or (``ambiguous``) it has not ended in time
                or nobody answers, and it can be fetched later.

        """
        if not self._may_carry_key(task.polling_url):
            raise ProviderError(
                f"flux wants to be polled at the host '{urlsplit(task.polling_url).hostname}', "
                "which is not on the list of hosts that may be sent the key; add it there.",
                kind="not_configured",
                remote_id=task.id,
                billed_usd=None,
            )
        unknown = wasted = 0
        while True:
            said, asked_s = await self._status(task, patience)
            status = str(said.get("status", "")).casefold()
            if status == "task not found":
                unknown += 1
                if unknown >= LOST_AFTER_LOOKS:
                    raise gone(task, "it does not know the task any more")
            elif status == "ready":
                result = said.get("result")
                content = await self._sample(result, task, patience)
                if content is not None:
                    return Delivered(content, seed_of(result))
                wasted += 1
                if wasted >= WASTED_FETCHES:
                    raise gone(task, "the picture's address has expired or gives no picture")
            else:
                raise_if_ended(status, said, task)
            await self._pause(task, patience, asked_s)

    async def _status(self, task: Task, patience: Patience) -> tuple[dict[str, Any], float | None]:
        """Ask once. What is empty is no answer; with it comes how long the server wants to wait."""
        try:
            answer = await self._http.get(
                task.polling_url, timeout_s=patience.step_s, headers=self._headers
            )
        except Unanswered as error:
            self._unheard(task, patience, error.reason)
            return {}, None
        if answer.status == 404:
            patience.heard()
            return {"status": "Task not found"}, None
        if answer.status in (401, 403):
            raise ProviderError(
                f"flux does not let the task be polled (status {answer.status}); check the key.",
                kind="not_configured",
                remote_id=task.id,
                billed_usd=None,
            )
        said = answer.json_object()
        if answer.status != 200 or not said:
            self._unheard(task, patience, f"it answered with status {answer.status}")
            return {}, retry_after_s(answer.headers)
        patience.heard()
        return said, None

    async def _sample(self, result: Any, task: Task, patience: Patience) -> bytes | None:
        """Fetch the picture, without the key; None when this address gives none."""
        address = result.get("sample") if isinstance(result, dict) else None
        if not isinstance(address, str) or not self._may_be_fetched(address):
            raise ProviderError(
                "flux says that the picture is ready but gives no https address for it.",
                kind="bad_output",
                remote_id=task.id,
                billed_usd=task.cost_usd,
            )
        while True:
            try:
                answer = await self._http.get(address, timeout_s=patience.step_s)
            except Unanswered as error:
                reason = error.reason
            else:
                if answer.status < 500 and answer.status not in (408, 429):
                    usable = answer.status == 200 and media_type_of(answer.content)
                    return answer.content if usable else None
                reason = f"the delivery answered with status {answer.status}"
            self._unheard(task, patience, reason)
            await self._pause(task, patience, None)

    def _unheard(self, task: Task, patience: Patience, reason: str) -> None:
        if patience.unheard():
            raise ambiguous(f"it went silent: {reason}", task)

    async def _pause(self, task: Task, patience: Patience, asked_s: float | None) -> None:
        if patience.is_over:
            raise ambiguous("the picture was not ready in time", task)
        await patience.pause(asked_s=asked_s)

    def _may_carry_key(self, address: str) -> bool:
        parts = urlsplit(address)
        host = (parts.hostname or "").lower()
        if parts.scheme == "http":
            return self._is_loopback and _is_loopback(host)
        known = host == self._own_host or any(fnmatchcase(host, one) for one in self._allowed)
        return parts.scheme == "https" and known

    def _may_be_fetched(self, address: str) -> bool:
        parts = urlsplit(address)
        if parts.scheme == "http":
            return self._is_loopback and _is_loopback(parts.hostname or "")
        return parts.scheme == "https" and bool(parts.hostname)

    @property
    def _headers(self) -> dict[str, str]:
        return {"x-key": self._key.get_secret_value(), "accept": "application/json"}


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
