"""A real django-helpdesk is pulled into a real broker, and a worker finds the breach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stream.sla.effects import Kind
from tests.broker.running import Worker, effects, until
from tests.desks.pulling import Puller, published, ticks

if TYPE_CHECKING:
    from pathlib import Path

    from stream.runtime.kafka.topics import Topics
    from tests.desks.helpdesk import Helpdesk

_LOGIN = "breachwatch:breachwatch-password-1"
_POLICY = """
policies:
  - policy: helpdesk
    version: 1
    applies_to: always
    calendar: 24x7
    commitments:
      - metric: first_response
        target: {critical: 1s, normal: 4s, default: 1d}
      - metric: resolution
        target: 1d
"""


def _puller(broker: str, topics: Topics, folder: Path, desk: Helpdesk, *options: str) -> Puller:
    return Puller(broker, topics, folder, *options, feed="desk=django-helpdesk", url=desk.url, login=_LOGIN)


def _of(broker: str, topics: Topics, ticket: int) -> list[dict[str, Any]]:
    return [event for event in published(broker, topics) if event["ticket"] == f"django-helpdesk/{ticket}"]


def test_a_ticket_that_nobody_answers_breaches_and_an_answer_is_seen(
    helpdesk: Helpdesk, broker: str, topics: Topics, tmp_path: Path
) -> None:
    (tmp_path / "policy.yaml").write_text(_POLICY, "utf-8")
    with Worker(broker, topics, tmp_path) as worker, _puller(broker, topics, tmp_path, helpdesk) as puller:
        worker.ready()
        until(lambda: "following desk" in puller.output, "the puller follows")
        helpdesk.mail("The scanner jams", "It takes two sheets at once.")
        ticket = helpdesk.newest()

        breach = until(
            lambda: next((each for each in effects(broker, topics) if each.effect.kind is Kind.BREACHED), None),
            "the breach of the ticket that nobody answers",
            worker,
        )
        helpdesk.browser("ines").update(ticket, comment="Please clean the roller.")
        until(
            lambda: any(each.effect.kind is Kind.MET_LATE for each in effects(broker, topics)),
            f"the late answer\n{puller.output}",
            worker,
        )

        assert breach.effect.ticket == f"django-helpdesk/{ticket}"
        assert (breach.effect.commitment, breach.effect.late) == ("first_response", False)
        assert ticks(broker, topics)[-1]["state"] == "complete"
        assert puller.stop() == 0
        assert ticks(broker, topics)[-1]["state"] == "ended"


def test_what_happens_while_no_puller_runs_is_found_by_the_next_one(
    helpdesk: Helpdesk, broker: str, topics: Topics, tmp_path: Path
) -> None:
    ines = helpdesk.as_user("ines")
    opened = {
        "queue": 1,
        "title": "A question",
        "description": "Where?",
        "submitter_email": "kunde@customer.example",
        "priority": 4,
    }
    with _puller(broker, topics, tmp_path, helpdesk) as first:
        until(lambda: "following desk" in first.output, "the first puller follows")
        ticket = ines("POST", "/tickets/", opened)["id"]
        gone = ines("POST", "/tickets/", opened)["id"]
        until(lambda: _of(broker, topics, ticket) and _of(broker, topics, gone), f"both tickets\n{first.output}")
        first.kill()
    agent = helpdesk.browser("ines")
    agent.update(ticket, comment="On the second floor.", status=3, priority=4)

    with _puller(broker, topics, tmp_path, helpdesk) as second:
        until(lambda: any(e["type"] == "comment.added" for e in _of(broker, topics, ticket)), f"the answer\n{second.output}")
        ines("PATCH", f"/tickets/{gone}/", {"priority": 1})
        until(
            lambda: any(e.get("fields", {}).get("priority") == "critical" for e in _of(broker, topics, gone)),
            f"a change without a follow-up\n{second.output}",
        )
        ines("DELETE", f"/tickets/{gone}/")
        until(lambda: any(e["type"] == "ticket.deleted" for e in _of(broker, topics, gone)), f"the deletion\n{second.output}")

    facts = [(event["type"], event["id"], event.get("public")) for event in _of(broker, topics, ticket)]
    assert ("ticket.created", f"{ticket}/created", None) in facts
    assert [event["fields"]["status"] for event in _of(broker, topics, ticket) if event["id"].endswith("/status")] == ["solved"]
    assert not second.log.read_text("utf-8").count("not mapped")


def test_the_newest_puller_of_a_feed_excludes_the_one_before(
    helpdesk: Helpdesk, broker: str, topics: Topics, tmp_path: Path
) -> None:
    with _puller(broker, topics, tmp_path, helpdesk) as first:
        until(lambda: "following desk" in first.output, "the first puller follows")
        with _puller(broker, topics, tmp_path, helpdesk) as second:
            assert first.ended() == 1
            assert "another puller of the feed desk has started" in first.output
            assert second.stop() == 0
