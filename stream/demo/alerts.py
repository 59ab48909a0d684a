"""The demo's proof that alerts arrive: chats that nobody answers, until somebody is told that promises are being broken."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from stream.demo.feed import unanswered
from stream.demo.stack import PACE
from stream.devkafka.child import DemoError
from stream.sla.effects import Kind

if TYPE_CHECKING:
    from stream.demo.traffic import Inputs
    from stream.demo.view import View
    from stream.demo.webhook import Notification
    from stream.sla.calendar.calendar import Calendar

ALERT: Final = "SLAErrorBudgetBurnFast"
"""The alert that must arrive: promises are being broken fast."""
PROMISE: Final = {"policy": "batoi-priority-support", "commitment": "chat_answer"}
"""What is not kept, as the alert's labels say it."""
_PATIENCE: Final = 90.0
"""Seconds. It takes about ten; a machine that is very busy has more."""
_STEP_SECONDS: Final = 0.5
"""For five minutes of the desk."""


class Alerts:
    """Shows what somebody is told, each thing once however often Alertmanager repeats it."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._heard: set[tuple[str, str, tuple[tuple[str, str], ...]]] = set()
        self._arrived: float | None = None
        self._since = 0.0
        self._breached: float | None = None
        """When the first of these chats was seen to be breached."""

    def told(self, notification: Notification) -> None:
        """Called by the webhook's threads."""
        kind = (notification.receiver, notification.status, tuple(sorted(notification.labels.items())))
        if kind not in self._heard:
            self._heard.add(kind)
            self._view.notification(notification)
        if self._arrived is None and self._since and _is_wanted(notification):
            self._arrived = time.monotonic()

    async def provoke(self, inputs: Inputs, hours: Calendar) -> None:
        """Returns when the alert has arrived. Raises ``DemoError`` when it does not."""
        self._since = time.monotonic()
        before = self._view.tally.kinds[Kind.BREACHED]
        for records in unanswered(hours):
            await inputs.now(records)
            await asyncio.sleep(_STEP_SECONDS)
            if self._breached is None and self._view.tally.kinds[Kind.BREACHED] > before:
                self._breached = time.monotonic()
            if self._arrived is not None:
                return
            if time.monotonic() - self._since > _PATIENCE:
                heard = ", ".join(sorted({dict(labels)["alertname"] for _, _, labels in self._heard})) or "none"
                raise DemoError(
                    f"chats were not answered, and {ALERT} did not arrive within {_PATIENCE:g} s; alerts that did: {heard}"
                )

    def summary(self) -> str:
        if self._arrived is None:
            raise ValueError("no alert has arrived yet")
        after = "" if self._breached is None else f"{self._arrived - self._breached:.0f} s after the first breach "
        return (
            f"Then no chat was answered any more: {after}somebody was told by {ALERT}, through Prometheus and "
            f"Alertmanager (which the demo runs {PACE} times as fast as they ship)."
        )


def _is_wanted(told: Notification) -> bool:
    return told.status == "firing" and told.alert == ALERT and told.labels.items() >= PROMISE.items()
