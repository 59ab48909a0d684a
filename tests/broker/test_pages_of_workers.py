"""Pages of real workers: who has which ticket, and how to come to it from anywhere."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import HTTPRedirectHandler, Request, build_opener, urlopen

from stream.wire.effect import encode_event
from tests.broker.running import HOUR, SECOND, START, Sent, Worker, all_committed, event, publish, sent, tick, until

if TYPE_CHECKING:
    from pathlib import Path

    from stream.runtime.kafka.topics import Topics


class _Stay(HTTPRedirectHandler):
    """Takes a redirect for an answer."""

    def redirect_request(self, *_: Any) -> None:
        return None


def address(worker: Worker) -> str:
    found = re.search(r"pages on (http://\S+)/,", worker.log.read_text("utf-8"))
    assert found
    return found[1]


def page(worker: Worker, path: str = "/") -> dict[str, Any]:
    """A page as JSON, redirects followed; what went wrong under ``error``."""
    request = Request(address(worker) + path, headers={"Accept": "application/json"})
    try:
        with urlopen(request) as answer:
            page: dict[str, Any] = json.load(answer)
            return {"error": ""} | page
    except HTTPError as refusal:
        with refusal:
            found: dict[str, Any] = json.load(refusal)
            return found


def stays(worker: Worker, path: str) -> tuple[int, str]:
    """Status of a page, and where it sends who asks."""
    try:
        with build_opener(_Stay).open(address(worker) + path) as answer:
            return answer.status, ""
    except HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.headers.get("Location", "")


def page_of(ticket: str) -> str:
    return f"/tickets/{quote(ticket, safe='')}"


def test_any_of_two_workers_shows_any_ticket_and_neither_sends_in_circles(broker: str, topics: Topics, tmp_path: Path) -> None:
    tickets = [f"desk/{number}" for number in range(40)]
    feed = [
        (ticket, event(ticket, "ticket.created", START + number * SECOND, fields={"priority": "p1"}))
        for number, ticket in enumerate(tickets)
    ]
    # Whose producer hashes otherwise has his tickets elsewhere than by the usual hashing; they are found all the same.
    strangers = [f"other/{number}" for number in range(8)]
    odd = [
        Sent(name.encode(), encode_event(name, event(name, "ticket.created", START, fields={"priority": "p2"})), n % 4)
        for n, name in enumerate(strangers)
    ]
    publish(broker, topics, [*(sent(*entry) for entry in feed), *odd, *tick(START + 60 * SECOND)])
    options = ("--clock", "event", "--ticket-url", "https://desk.example/{number}")
    with Worker(broker, topics, tmp_path / "1", *options) as one:
        one.ready().live()
        with Worker(broker, topics, tmp_path / "2", *options) as two:
            until(lambda: two.owns_some() and page(two).get("ready") and page(one).get("ready"), "both share the work", two)
            until(lambda: all_committed(broker, topics), "everything is processed", two)

            views = {worker: page(worker) for worker in (one, two)}
            owned = {worker: {entry["number"] for entry in view["partitions"]} for worker, view in views.items()}
            assert owned[one] | owned[two] == {0, 1, 2, 3}
            assert owned[one].isdisjoint(owned[two])
            for view in views.values():
                shown = {entry["worker"]: set(entry["partitions"]) for entry in view["workers"]}
                assert shown == {address(one): owned[one], address(two): owned[two]}
            parts = [entry for view in views.values() for entry in view["partitions"]]
            assert sum(entry["tickets"] for entry in parts) == 48
            assert sum(entry["open_commitments"] for entry in parts) == 96

            answered = {}
            for name in [*tickets, *strangers]:
                first, second = page(one, page_of(name)), page(two, page_of(name))
                assert first == second
                assert first["ticket"] == name, first
                answered[name] = first["partition"]
                statuses = {stays(worker, page_of(name))[0] for worker in (one, two)}
                assert statuses == {200}
            assert set(answered.values()) == {0, 1, 2, 3}
            assert "it is in none of the partitions" in page(one, page_of("desk/none"))["error"]

            # At risk, over both: all first responses that run, soonest first, and the commitment of each.
            soonest = sorted((e for view in views.values() for e in view["at_risk"]), key=lambda e: e["due_at"])
            assert [entry["ticket"] for entry in soonest[:40]] == tickets
            # A minute has passed; the worker that took the partition over since does not know of it.
            assert soonest[0]["seconds_left"] in (3600, 3600 - 60)
            assert len(soonest) == sum(len(view["at_risk"]) for view in views.values()) >= 90

            # A list has the tickets of both, whichever is asked.
            for worker in (one, two):
                late = page(worker, "/lists/at-risk?limit=500&priority=p1&commitment=first_response")
                assert sorted(row["ticket"] for row in late["rows"]) == sorted(tickets)
                assert (late["complete"], late["missing"]) == (True, [])
                assert {row["url"] for row in late["rows"]} == {f"https://desk.example/{number}" for number in range(40)}
            own = [page(worker, "/lists/at-risk?limit=500&scope=worker")["tickets"] for worker in (one, two)]
            assert (sum(own), min(own) > 0) == (48, True)

            # The one that is sent a question for a partition that moved away meanwhile does not send it on.
            name = next(name for name, number in answered.items() if number in owned[one])
            moved = min(owned[one])
            status, _ = stays(two, f"{page_of(name)}?asked=&for={moved}")
            assert status == 503
        # The second is gone: the first has all, and answers for all without asking anybody.
        one.ready().live()
        until(lambda: len(page(one)["workers"]) == 1, "one worker is left", one)
        assert {page(one, page_of(name))["ticket"] for name in tickets} == set(tickets)
        assert sum(entry["open_commitments"] for entry in page(one)["partitions"]) == 96


def test_two_workers_that_advertise_one_address_do_not_send_to_themselves(broker: str, topics: Topics, tmp_path: Path) -> None:
    publish(broker, topics, [sent(*entry) for entry in _created(12)])
    same = ("--advertise", "http://sla.example", "--clock", "event")
    with Worker(broker, topics, tmp_path / "1", *same) as one:
        one.ready().live()
        with Worker(broker, topics, tmp_path / "2", *same) as two:
            until(lambda: two.owns_some() and page(two).get("ready") and page(one).get("ready"), "both share the work", two)
            answers = [page(one, page_of(f"desk/{number}"))["error"] for number in range(12)]

    assert "" in answers
    assert all("does not know the address of the owner" in answer for answer in answers if answer)
    assert any(answers)


def test_a_tickets_page_is_as_of_now_on_the_workers_clock(broker: str, topics: Topics, tmp_path: Path) -> None:
    now = time.time_ns() // 1_000
    created = event("desk/1", "ticket.created", now - HOUR // 2, fields={"priority": "p1"})
    publish(broker, topics, [sent("desk/1", created)])
    with Worker(broker, topics, tmp_path) as worker:
        worker.ready().live()
        until(lambda: all_committed(broker, topics), "it is processed", worker)
        view = page(worker)
        shown = page(worker, page_of("desk/1"))

    response = next(entry for entry in shown["explanation"]["deadlines"] if entry["commitment"] == "first_response")
    assert response["verdict"] == "pending"
    assert response["elapsed_seconds"] > 1800
    (risk,) = (entry for entry in view["at_risk"] if entry["commitment"] == "first_response")
    assert risk["due_at"] == response["due_at"]
    assert 0 < risk["seconds_left"] < 1800


def _created(count: int) -> list[tuple[str, Any]]:
    names = [f"desk/{number}" for number in range(count)]
    return [(name, event(name, "ticket.created", START, fields={"priority": "p1"})) for name in names]
