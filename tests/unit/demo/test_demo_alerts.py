"""The demo's chats that nobody answers, and what it says when no alert comes of them."""

from __future__ import annotations

import asyncio
import io
from itertools import islice
from typing import Any

import pytest
from rich.console import Console

from stream.demo import alerts as demo_alerts
from stream.demo.alerts import ALERT, PROMISE, Alerts
from stream.demo.feed import END, MINUTE, unanswered
from stream.demo.traffic import Inputs
from stream.demo.view import View
from stream.demo.webhook import Notification
from stream.devkafka.child import DemoError
from stream.language.policies import load, shipped
from stream.wire.decode import Tick, decode
from stream.wire.ticket_event import Incoming

HOURS = load([shipped("batoi")]).calendars["batoi-office"]
OTHER = Notification("team", "firing", {"alertname": "SLAWatchdog"}, "Alerting works.")
WANTED = Notification("on-call", "firing", {"alertname": ALERT, **PROMISE}, "Promises are being broken fast.")


class Published(Inputs):
    """Stands for the broker: keeps what is published, and lets somebody be told at once."""

    def __init__(self, *tell: Any) -> None:
        self.steps: list[Any] = []
        self._tell = tell

    async def now(self, records: Any) -> None:
        self.steps.append(records)
        for each in self._tell:
            each()


def shown() -> tuple[io.StringIO, Alerts]:
    out = io.StringIO()
    return out, Alerts(View(Console(file=out, width=150), ""))


def test_chats_are_asked_while_the_desk_is_open_and_every_step_says_how_far_it_is() -> None:
    at = END
    for step in islice(unanswered(HOURS), 200):
        heard = [decode(record.key, record.value, now=None) for record in step]
        *chats, tick = heard
        assert len(chats) == 5
        assert all(isinstance(each, Incoming) and HOURS.is_open(each.event.at) for each in chats)
        assert isinstance(tick, Tick)
        assert tick.at >= at + 5 * MINUTE
        at = tick.at


def test_it_ends_when_the_alert_that_is_waited_for_has_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_alerts, "_STEP_SECONDS", 0.0)
    out, alerts = shown()
    alerts.told(OTHER)
    published = Published(lambda: alerts.told(OTHER), lambda: alerts.told(WANTED))

    asyncio.run(alerts.provoke(published, HOURS))

    assert len(published.steps) == 1
    assert [line.split()[1] for line in out.getvalue().splitlines()] == ["team", "on-call"], "each is shown once"
    assert ALERT in alerts.summary()


@pytest.mark.parametrize(
    "not_it",
    [WANTED._replace(status="resolved"), WANTED._replace(labels={"alertname": ALERT, "policy": "another"}), OTHER],
)
def test_it_fails_and_says_what_did_arrive_when_that_was_something_else(
    not_it: Notification, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_alerts, "_PATIENCE", 0.0)
    monkeypatch.setattr(demo_alerts, "_STEP_SECONDS", 0.0)
    _, alerts = shown()

    with pytest.raises(DemoError, match=f"{ALERT} did not arrive.*{not_it.alert}"):
        asyncio.run(alerts.provoke(Published(lambda: alerts.told(not_it)), HOURS))
