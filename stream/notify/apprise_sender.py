"""Sends messages to the services that Apprise reaches: mail, chats, pagers.

Apprise blocks, and a service may hang. So each attempt has a thread of its own and a time limit. An attempt that exceeds it
counts as failed, and its thread is left to end by itself; while ``_MOST_LEFT`` of them have not ended, no other begins.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import apprise

from stream.notify.delivery import Failure
from stream.notify.message import Status, summary
from stream.wire.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream.notify.delivery import Outgoing

# Apprise logs parts of URLs, and these are secrets. What it reports of an attempt is taken from the attempt itself.
logging.getLogger("apprise").propagate = False
logging.getLogger("apprise").addHandler(logging.NullHandler())

TIME_LIMIT: Final = 60.0
_MOST_LEFT: Final = 3
_LONGEST_REASON: Final = 300
_SHORTEST_SECRET: Final = 6
_SEPARATORS: Final = re.compile(r"[/@:?&=#]+")
_TYPES: Final = {
    Status.NEWS: apprise.NotifyType.WARNING,
    Status.CONFIRMATION: apprise.NotifyType.WARNING,
    Status.CORRECTION: apprise.NotifyType.INFO,
    Status.WITHDRAWAL: apprise.NotifyType.INFO,
}


class AppriseError(ValueError):
    """Apprise does not understand a URL. The text does not have the URL, because it contains a secret."""


def service_of(url: str) -> Any:
    """Apprise's service for a URL. Raises AppriseError."""
    service = apprise.Apprise.instantiate(url, asset=_asset(), suppress_exceptions=True)
    if service is None:
        scheme = url.partition("://")[0] if "://" in url else ""
        what = f"a URL of the kind {scheme}://" if scheme.isalnum() else "the URL"
        raise AppriseError(f"Apprise does not understand {what}: see https://appriseit.com/services/ for its form")
    return service


def _asset() -> Any:
    # Without plug-ins of the machine, and in the thread that calls.
    return apprise.AppriseAsset(app_id="breachwatch", app_desc="SLA breaches", plugin_paths=[], async_mode=False)


class AppriseSender:
    """Sends the messages of one destination through Apprise."""

    def __init__(self, url: str, time_limit: float = TIME_LIMIT) -> None:
        """Raises AppriseError."""
        self._apprise: Final = apprise.Apprise(asset=_asset())
        self._apprise.add(service_of(url))
        parts = {form for part in _SEPARATORS.split(url)[1:] for form in (part, unquote(part))}
        self._secrets: Final = sorted((part for part in parts if len(part) >= _SHORTEST_SECRET), key=len, reverse=True)
        """Every part of the URL that may be one."""
        self._time_limit: Final = time_limit
        self._left: Final[set[threading.Thread]] = set()

    async def send(self, outgoing: Sequence[Outgoing]) -> Failure | None:
        messages = [each.message for each in outgoing]
        title, body = (messages[0].title, messages[0].body) if len(messages) == 1 else summary(messages)
        kind = _TYPES[messages[0].status] if len(messages) == 1 else apprise.NotifyType.WARNING
        self._left.difference_update([thread for thread in self._left if not thread.is_alive()])
        if len(self._left) >= _MOST_LEFT:
            return Failure(f"{_MOST_LEFT} attempts hang: the service does not answer")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Failure | None] = loop.create_future()

        def attempt() -> None:
            failure = self._attempt(title, body, kind)
            if not loop.is_closed():
                loop.call_soon_threadsafe(_answer, answer, failure)

        thread = threading.Thread(target=attempt, name="apprise", daemon=True)
        thread.start()
        try:
            async with asyncio.timeout(self._time_limit):
                return await answer
        except TimeoutError:
            self._left.add(thread)
            return Failure(f"no answer within {self._time_limit:g} s")

    async def close(self) -> None:
        """Nothing is kept open."""

    def _attempt(self, title: str, body: str, kind: Any) -> Failure | None:
        reasons: list[str] = []
        try:
            accepted = self._apprise.notify(
                body=body,
                title=title,
                notify_type=kind,
                body_format=apprise.NotifyFormat.TEXT,
                log_callback=lambda entry, _: reasons.append(entry.message),
                log_level=30,
            )
        except Exception as error:  # noqa: BLE001  a plug-in of Apprise may raise anything, and it is the service's fault
            return Failure(f"{type(error).__name__} in Apprise")
        if accepted:
            return None
        return Failure(self._without_secrets(" / ".join(reasons))[:_LONGEST_REASON] or "Apprise gives no reason")

    def _without_secrets(self, reason: str) -> str:
        for secret in self._secrets:
            reason = reason.replace(secret, "...")
        return printable(reason)


def _answer(answer: asyncio.Future[Failure | None], failure: Failure | None) -> None:
    if not answer.done():
        answer.set_result(failure)
