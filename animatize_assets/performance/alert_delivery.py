"""Telling somebody of alerts: the log, and a webhook.

Every alert is told at least once: it counts as delivered when the webhook has answered with
success, or, without a webhook, when it stands in the log. A crash in between tells it twice;
``delivery_id`` is then the same both times, so the receiver can leave the second one out.

Belongs here: the way out. Does not belong here: which alerts there are (``alert_store``).

The webhook's address is a secret, since whoever knows it can post to it: it stands in no message,
log line or representation, and no redirect is followed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from animatize_assets.errors import InvalidSetting
from animatize_assets.performance.alert_store import AlertStore, alert_body
from animatize_assets.performance.models import AlertRecord

if TYPE_CHECKING:
    import aiohttp

_log = logging.getLogger(__name__)

ATTEMPTS = 3
"""For each alert at each call; what still fails is tried again at the next call."""

TIMEOUT_S = 5.0
"""For one attempt. Three of them with their pauses end within half a minute: an alert is raised
within a minute, and the sensor that does so may take as long."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 4.0
MOST_AT_ONCE = 20
"""Alerts of one call; the next call goes on from there."""

_LEVELS = {
    "low": logging.INFO,
    "medium": logging.WARNING,
    "high": logging.ERROR,
    "critical": logging.CRITICAL,
}


@dataclass(frozen=True)
class Delivery:
    """What came of one call."""

    delivered: int
    waiting: int
    """Left for the next call."""
    failure: str | None = None
    """Why it ended early."""


class _Refused(Exception):
    """The receiver did not take it; ``may_pass`` tells whether asking again makes sense."""

    def __init__(self, reason: str, *, may_pass: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.may_pass = may_pass


class AlertDelivery:
    """Tells what nobody was told of yet. One object belongs to one thread.

    Args:
        store: where the alerts are.
        webhook_url: where they are posted as JSON; None: they are only logged.
        timeout_s: for one attempt.
        sleep: waits between two attempts.

    Raises:
        InvalidSetting: the address is not one of HTTP.

    """

    def __init__(
        self,
        store: AlertStore,
        webhook_url: str | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if webhook_url is not None and not _is_http(webhook_url):
            raise InvalidSetting(
                "The address of the alert webhook must begin with http:// or https:// and name a "
                "host; leave it out to have alerts in the log only."
            )
        self._store = store
        self._url = webhook_url
        self._timeout_s = timeout_s
        self._sleep = sleep
        self._logged: set[str] = set()
        self._refused: set[str] = set()

    async def deliver(self) -> Delivery:
        """Tell what is waiting, oldest first, at most :data:`MOST_AT_ONCE`.

        What the receiver refuses for good (400, say) is left waiting, behind all others; when it
        cannot be reached at all, the call ends. Neither raises: both are logged and returned.
        """
        # what was refused comes last, or twenty of them would hold up everything for ever
        waiting = sorted(
            self._store.undelivered(), key=lambda alert: delivery_id(alert) in self._refused
        )
        for alert in waiting:
            self._write_to_log(alert)
        if self._url is None:
            self._store.mark_delivered(waiting)
            return Delivery(len(waiting), 0)
        if not waiting:
            return Delivery(0, 0)
        return await self._post_all(self._url, waiting)

    async def _post_all(self, url: str, waiting: Sequence[AlertRecord]) -> Delivery:
        import aiohttp

        delivered, failure = 0, None
        async with aiohttp.ClientSession() as session:
            for alert in waiting[:MOST_AT_ONCE]:
                try:
                    await self._post_patiently(session, url, alert)
                except _Refused as refused:
                    failure = refused.reason
                    _log.warning("Alert %d was not delivered: %s.", alert.id, refused.reason)
                    if refused.may_pass:
                        break
                    self._refused.add(delivery_id(alert))
                else:
                    self._store.mark_delivered([alert])
                    delivered += 1
        return Delivery(delivered, len(waiting) - delivered, failure)

    async def _post_patiently(
        self, session: aiohttp.ClientSession, url: str, alert: AlertRecord
    ) -> None:
        import tenacity

        retrying = tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=tenacity.wait_random_exponential(multiplier=FIRST_PAUSE_S, max=LONGEST_PAUSE_S),
            retry=tenacity.retry_if_exception(
                lambda error: isinstance(error, _Refused) and error.may_pass
            ),
            sleep=self._sleep,
            reraise=True,
        )
        await retrying(self._post, session, url, alert)

    async def _post(self, session: aiohttp.ClientSession, url: str, alert: AlertRecord) -> None:
        import aiohttp

        told = delivery_id(alert)
        try:
            async with session.post(
                url,
                json={"delivery_id": told, **alert_body(alert)},
                headers={"Idempotency-Key": told},
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
                allow_redirects=False,
            ) as answer:
                status = answer.status
        # Without the cause: the client's own errors name the host or the whole address.
        except TimeoutError:
            reason = f"the webhook did not answer within {self._timeout_s:g} s"
            raise _Refused(reason, may_pass=True) from None
        except aiohttp.InvalidURL:
            raise _Refused("the webhook's address is not valid", may_pass=False) from None
        except (aiohttp.ClientError, OSError) as error:
            reason = f"the webhook could not be reached ({type(error).__name__})"
            raise _Refused(reason, may_pass=True) from None
        if not 200 <= status < 300:
            raise _Refused(f"the webhook answered {status}", may_pass=_may_pass(status))

    def _write_to_log(self, alert: AlertRecord) -> None:
        told = delivery_id(alert)
        if told not in self._logged:
            self._logged.add(told)
            _log.log(_LEVELS[alert.severity], "Alert %d (%s): %s", *_words(alert))


def delivery_id(alert: AlertRecord) -> str:
    """Return the same name for the same news: an alert, and again when it gets more severe."""
    return f"{alert.fingerprint[:16]}-{alert.id}-{alert.severity}"


def _words(alert: AlertRecord) -> tuple[Any, ...]:
    return alert.id, alert.severity, alert.message


def _may_pass(status: int) -> bool:
    """Tell a server that is ill or busy from one that refuses, or points elsewhere."""
    return status >= 500 or status in {408, 425, 429}


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
