"""Shows in the demo that alerts arrive: nobody answers the chats until Alertmanager sends a notification of the breaches."""

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
"""The alert that must arrive: commitments are being breached fast."""
COMMITMENT: Final = {"policy": "batoi-priority-support", "commitment": "chat_answer"}
"""The labels that the alert must have: those of the breached commitment."""
_PATIENCE: Final = 90.0
"""Seconds to wait for the alert. It takes about ten, and more on a busy machine."""
_STEP_SECONDS: Final = 0.5
"""The seconds in which five minutes of the desk pass."""


class Alerts:
    """Shows the notifications, each one once, although Alertmanager repeats them."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._received: set[tuple[str, str, tuple[tuple[str, str], ...]]] = set()
        self._arrived: float | None = None
        self._since = 0.0
        self._breached: float | None = None
        """The arrival of the first breach of these chats."""

    def receive(self, notification: Notification) -> None:
        """Show a notification. The threads of the webhook call this."""
        kind = (notification.receiver, notification.status, tuple(sorted(notification.labels.items())))
        if kind not in self._received:
            self._received.add(kind)
            self._view.notification(notification)
        if self._arrived is None and self._since and _is_wanted(notification):
            self._arrived = time.monotonic()

    async def provoke(self, inputs: Inputs, hours: Calendar) -> None:
        """Publish unanswered chats until the alert arrives. Raises ``DemoError`` if it does not arrive."""
        self._since = time.monotonic()
        before = self._view.totals.kinds[Kind.BREACHED]
        for records in unanswered(hours):
            await inputs.now(records)
            await asyncio.sleep(_STEP_SECONDS)
            if self._breached is None and self._view.totals.kinds[Kind.BREACHED] > before:
                self._breached = time.monotonic()
            if self._arrived is not None:
                return
            if time.monotonic() - self._since > _PATIENCE:
                received = ", ".join(sorted({dict(labels)["alertname"] for _, _, labels in self._received})) or "none"
                raise DemoError(
                    f"nobody answered the chats, but {ALERT} did not arrive within {_PATIENCE:g} s; received alerts: {received}"
                )

    def summary(self) -> str:
        """One sentence about the alert. Raises ``ValueError`` before it has arrived."""
        if self._arrived is None:
            raise ValueError("no alert has arrived yet")
        after = "" if self._breached is None else f"{self._arrived - self._breached:.0f} s after the first breach "
        return (
            f"Then nobody answered the chats: {after}{ALERT} arrived through Prometheus and Alertmanager "
            f"(which the demo runs {PACE} times as fast as the shipped configuration)."
        )


def _is_wanted(notification: Notification) -> bool:
    firing = notification.status == "firing" and notification.alert == ALERT
    return firing and notification.labels.items() >= COMMITMENT.items()
