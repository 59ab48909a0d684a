"""The demo's unanswered chats, and its error if the alert does not arrive."""

from __future__ import annotations

import asyncio
import io
from itertools import islice
from typing import Any

import pytest
from rich.console import Console

from stream.demo import alerts as demo_alerts
from stream.demo.alerts import ALERT, COMMITMENT, Alerts
from stream.demo.feed import END, unanswered
from stream.demo.traffic import Inputs
from stream.demo.view import View
from stream.demo.webhook import Notification
from stream.demo.written_tickets import MINUTE
from stream.devkafka.child import DemoError
from stream.language.policies import load, shipped
from stream.wire.decode import Tick, decode
from stream.wire.incoming import Incoming

HOURS = load([shipped("batoi")]).calendars["batoi-office"]
OTHER = Notification("team", "firing", {"alertname": "SLAWatchdog"}, "Alerting works.")
WANTED = Notification("on-call", "firing", {"alertname": ALERT, **COMMITMENT}, "Commitments are being breached fast.")


class Published(Inputs):
    """Replaces the broker: keeps the published records, and delivers notifications at once."""

    def __init__(self, *deliver: Any) -> None:
        self.steps: list[Any] = []
        self._deliver = deliver

    async def now(self, records: Any) -> None:
        self.steps.append(records)
        for each in self._deliver:
            each()


def shown() -> tuple[io.StringIO, Alerts]:
    out = io.StringIO()
    return out, Alerts(View(Console(file=out, width=150), ""))


def test_chats_start_while_the_desk_is_open_and_every_step_ends_with_a_tick() -> None:
    at = END
    for step in islice(unanswered(HOURS), 200):
        decoded = [decode(record.key, record.value, now=None) for record in step]
        *chats, tick = decoded
        assert len(chats) == 5
        assert all(isinstance(each, Incoming) and HOURS.is_open(each.event.at) for each in chats)
        assert isinstance(tick, Tick)
        assert tick.at >= at + 5 * MINUTE
        at = tick.at


def test_it_ends_when_the_wanted_alert_has_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_alerts, "_STEP_SECONDS", 0.0)
    out, alerts = shown()
    alerts.receive(OTHER)
    published = Published(lambda: alerts.receive(OTHER), lambda: alerts.receive(WANTED))

    asyncio.run(alerts.provoke(published, HOURS))

    assert len(published.steps) == 1
    assert [line.split()[1] for line in out.getvalue().splitlines()] == ["team", "on-call"], "each notification is shown once"
    assert ALERT in alerts.summary()


@pytest.mark.parametrize(
    "other",
    [WANTED._replace(status="resolved"), WANTED._replace(labels={"alertname": ALERT, "policy": "another"}), OTHER],
)
def test_it_fails_and_lists_the_received_alerts_if_the_wanted_one_is_missing(
    other: Notification, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_alerts, "_PATIENCE", 0.0)
    monkeypatch.setattr(demo_alerts, "_STEP_SECONDS", 0.0)
    _, alerts = shown()

    with pytest.raises(DemoError, match=f"{ALERT} did not arrive.*{other.alert}"):
        asyncio.run(alerts.provoke(Published(lambda: alerts.receive(other)), HOURS))
