"""A real django-helpdesk from end to end: by push and by pull at once into a real broker, whose worker finds the breach; a
receiver is notified, and the ticket is marked in the helpdesk."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from stream.sla.effects import Kind
from tests.broker.running import Worker, all_committed, dead_letters, effects, read, until
from tests.broker.test_notify import Receiver
from tests.desks.helpdesk import Helpdesk
from tests.desks.pulling import Command, gateway, notifier, published, puller, ticks, writer
from tests.desks.running import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from stream.runtime.kafka.topics import Topics

_POLICY = """
policies:
  - policy: helpdesk
    version: 1
    applies_to: always
    calendar: 24x7
    commitments:
      - metric: first_response
        target: {normal: 3s, default: 1d}
      - metric: resolution
        target: 1d
"""
_WRITTEN = """
desk: helpdesk
system: django-helpdesk
url: {url}
login: {{basic: {{user: breachwatch, password: env:DESK_PASSWORD}}}}
tickets: django-helpdesk/{{id}}
write:
  - {{field: custom_sla_state, value: state}}
"""
_TOKEN = "a-token-of-the-desk-0001"
_LOGIN = "breachwatch:breachwatch-password-1"
_FEED = "=django-helpdesk"


def test_what_a_desk_sends_and_what_its_api_knows_are_one_feed(broker: str, topics: Topics, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(_POLICY, "utf-8")
    port = free_port()

    def follow(desk: Helpdesk) -> Command:
        return puller(broker, topics, tmp_path, feed="desk" + _FEED, url=desk.url, login=_LOGIN)

    with (
        closing(Receiver()) as pager,
        Worker(broker, topics, tmp_path) as worker,
        gateway(broker, topics, tmp_path, port, feed="push" + _FEED, secret=_TOKEN) as receiver,
        Helpdesk(tmp_path / "desk", f"http://127.0.0.1:{port}/feeds/push/{_TOKEN}") as desk,
        notifier(broker, topics, tmp_path, pager.url) as notify,
        writer(broker, topics, tmp_path, _WRITTEN.format(url=desk.url), password=_LOGIN.partition(":")[2]) as writeback,
    ):
        worker.ready()
        receiver.writes("ready: feeds push")
        with follow(desk) as first:
            first.writes("following desk")

            # A customer writes, and nobody answers.
            desk.mail("The scanner jams", "It takes two sheets at once.")
            number = desk.newest()
            ticket = f"django-helpdesk/{number}"
            until(lambda: _kinds(broker, topics, Kind.BREACHED), f"the breach\n{first.output}\n{receiver.output}", worker)
            until(lambda: pager.ids("pager"), f"the message to the pager\n{notify.output}", worker)
            until(lambda: _state(desk, number) == "overdue", f"the state in the helpdesk\n{writeback.output}", worker)

            # The puller dies. What the desk sends meanwhile comes by push. What it does not send is found by the next puller.
            first.kill()
        agent, ines = desk.browser("ines"), desk.as_user("ines")
        agent.update(number, comment="Please clean the roller.")
        until(lambda: _kinds(broker, topics, Kind.MET_LATE), f"the late answer, by push\n{receiver.output}", worker)
        ines("PATCH", f"/tickets/{number}/", {"priority": 1})
        other = ines(
            "POST", "/tickets/",
            {"queue": 1, "title": "Again", "description": "Told by phone", "submitter_email": "kunde@customer.example",
             "priority": 4},
        )["id"]  # fmt: skip
        with follow(desk) as second:
            until(
                lambda: any(e.get("fields", {}).get("priority") == "critical" for e in published(broker, topics, ticket)),
                f"the change that the desk does not send\n{second.output}",
            )
            ines("DELETE", f"/tickets/{other}/")
            until(
                lambda: any(e["type"] == "ticket.deleted" for e in published(broker, topics, f"django-helpdesk/{other}")),
                f"the deletion\n{second.output}",
            )
            assert ticks(broker, topics)[-1]["state"] == "complete"
            assert second.stop() == 0
        until(lambda: all_committed(broker, topics), "the worker has read everything", worker)

    every = [each.effect for each in effects(broker, topics)]
    breaches = [effect for effect in every if effect.kind is Kind.BREACHED]
    # What arrives by the slower way may show more of the ticket: then the breach is restated, and still one stands.
    (breach,) = [effect for effect in breaches if effect.id not in {other.retracts for other in every}]
    assert (breach.ticket, breach.commitment, breaches[0].late) == (ticket, "first_response", False)
    assert pager.ids("pager")[0] == breaches[0].id
    answers = {event["id"] for event in published(broker, topics, ticket) if event["type"] == "comment.added"}
    assert len(answers) == 1, "the answer has the same id by push and by pull"
    contradictions = [dead_letter.value for dead_letter in dead_letters(broker, topics)]
    assert contradictions == [], f"against {published(broker, topics, ticket)}"
    assert read(broker, topics.feed_rejected) == []


def _state(desk: Helpdesk, ticket: int) -> str:
    return str(desk.as_user("ines")("GET", f"/tickets/{ticket}/")["custom_sla_state"])


def _kinds(broker: str, topics: Topics, kind: Kind) -> bool:
    return any(each.effect.kind is kind for each in effects(broker, topics))
