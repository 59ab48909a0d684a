"""The lists of tickets: their rows, their order, and the parts of several workers."""

from __future__ import annotations

import csv
import json
import re
import socket
from contextlib import suppress
from io import StringIO
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry

from stream.observe.pages import neighbours
from stream.observe.pages.list_formats import read_part
from stream.observe.pages.lists import TITLES, ListRow
from stream.observe.pages.neighbours import Neighbours
from stream.observe.pages.routes import Routes
from stream.observe.pages.site import Site
from stream.observe.pages.ticket_links import TicketLinks, ticket_url
from stream.observe.server import serve
from tests.pages.paged import NASTY, Desk, listed, worker
from tests.pages.test_pages import schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream.observe.server import Server

TOKEN = "a-token-of-many-characters"


def desk(*names: str, **changes: Any) -> Desk:
    found = Desk(worker())
    found.rows = tuple(listed(name, -60 * number, **changes) for number, name in enumerate(names))
    return found


def page(desk: Desk, query: str = "", name: str = "breached", **more: Any) -> dict[str, Any]:
    answer = Site(desk, **more).answer(f"/lists/{name}", f"format=json&{query}", "")
    assert answer is not None
    found: dict[str, Any] = json.loads(answer.body)
    return {"status": answer.status} | found


def _with(row: ListRow, column: str) -> ListRow:
    changed: Any = {column: f"of {row.ticket}"}
    return row._replace(**changed)


def names(found: dict[str, Any]) -> list[str]:
    return [row["ticket"] for row in found["rows"]]


@pytest.mark.parametrize("name", TITLES)
def test_a_list_is_a_page_for_people_and_one_for_programs(name: str) -> None:
    site = Site(desk("desk/1", "desk/2"))

    html = site.answer(f"/lists/{name}", "", "text/html")
    plain = site.answer(f"/lists/{name}", "", "application/json")

    assert html is not None
    assert plain is not None
    assert TITLES[name] in html.body.decode()
    assert html.body.decode().count("tickets/desk%2F") == 2
    schema("list-page.v1.json").validate(json.loads(plain.body))
    assert site.answer("/lists/none", "", "") is None


def test_the_most_overdue_commitment_comes_first() -> None:
    assert names(page(desk("desk/1", "desk/2", "desk/3"))) == ["desk/3", "desk/2", "desk/1"]


@pytest.mark.parametrize(
    ("sort", "order"),
    [("due", "cba"), ("-due", "abc"), ("ticket", "abc"), ("-ticket", "cba"), ("team", "bca"), ("-team", "acb")],
)
def test_a_list_is_sorted_as_asked(sort: str, order: str) -> None:
    found = desk("a", "b", "c")
    teams = {"a": "z", "b": "x", "c": "y"}
    found.rows = tuple(row._replace(team=teams[row.ticket]) for row in found.rows)

    assert names(page(found, f"sort={sort}")) == [*order]


@pytest.mark.parametrize("column", ["team", "priority", "customer", "assignee", "policy", "commitment"])
def test_a_list_is_filtered_by_any_column_and_several_values(column: str) -> None:
    found = desk("a", "b", "c")
    found.rows = tuple(_with(row, column) for row in found.rows)

    one = page(found, f"{column}=of%20a")
    two = page(found, f"{column}=of%20c,%20of%20a")

    assert names(one) == ["a"]
    assert (names(two), two["matching"], two["tickets"]) == (["c", "a"], 2, 3)
    assert names(page(found, f"{column}=")) == ["c", "b", "a"]


def test_a_row_shows_the_raised_level_the_roles_that_it_notifies_and_whether_it_is_acknowledged() -> None:
    found = desk("desk/1", "desk/2", "desk/3", level="lead", notify=("team-lead", "duty-manager"))
    first, second, _ = found.rows
    found.rows = (first._replace(acknowledged_at=found.view.at), second, found.rows[2]._replace(level="", notify=()))
    html = Site(found).answer("/lists/breached", "", "text/html")
    csv_ = Site(found).answer("/lists/breached", "format=csv", "")

    rows = page(found)["rows"]
    assert [row["level"] for row in rows] == ["", "lead", "lead"]
    assert [row["acknowledged_at"] for row in rows] == [None, None, "2026-11-18T06:00:00Z"]
    assert rows[1]["notify"] == ["team-lead", "duty-manager"]
    assert html is not None
    text = " ".join(re.sub("<[^>]*>", "", html.body.decode()).split())
    assert "lead (team-lead, duty-manager), not acknowledged" in text
    assert "lead (team-lead, duty-manager), acknowledged Wed 2026-11-18 11:30 IST" in text
    assert csv_ is not None
    assert [row["notify"] for row in csv.DictReader(StringIO(csv_.body.decode(), newline=""))] == [
        "",
        "team-lead, duty-manager",
        "team-lead, duty-manager",
    ]


def test_rows_come_through_another_worker_as_they_are_and_those_of_an_older_release_without_what_is_new() -> None:
    found = desk("desk/1", level="lead", notify=("team-lead",), acknowledged_at=1_000_000)
    answer = page(found)
    part = read_part("http://two:9300", json.dumps(answer).encode())
    assert part.rows == found.rows

    for new in ("level", "notify", "acknowledged_at", "reason", "why"):
        del answer["rows"][0][new]
    (old,) = read_part("http://two:9300", json.dumps(answer).encode()).rows
    assert old == found.rows[0]._replace(level="", notify=(), acknowledged_at=None)


def test_the_list_of_unmatched_tickets_shows_why_there_is_no_target() -> None:
    why = "no policy applies to its fields: the nearest is desk, which needs contract gold, and the ticket has no contract"
    found = desk("desk/1", state="unmatched", policy="", commitment="", due_at=None, reason="no_policy", why=why)
    html = Site(found).answer("/lists/unmatched", "", "text/html")
    csv_ = Site(found).answer("/lists/unmatched", "format=csv", "")

    (row,) = page(found, name="unmatched")["rows"]
    assert (row["reason"], row["why"]) == ("no_policy", why)
    assert html is not None
    assert csv_ is not None
    text = html.body.decode()
    assert why in text
    assert re.findall('<th scope="col">(?:<a[^>]*>)?([A-Z][a-z]+)', text) == [
        "Ticket",
        "Priority",
        "Team",
        "Customer",
        "Assignee",
        "Why",
    ]
    (cells,) = csv.DictReader(StringIO(csv_.body.decode(), newline=""))
    assert (cells["reason"], cells["why"]) == ("no_policy", why)


@pytest.mark.parametrize("query", ["sort=colour", "limit=0", "limit=501", "limit=many"])
def test_a_wrong_query_is_refused_with_what_there_is(query: str) -> None:
    found = page(desk("a"), query)

    assert found["status"] == 400
    assert "due, paused, ticket" in found["error"] or "1 to 500" in found["error"]


@pytest.mark.parametrize("query", ["tema=network", "team=network&priorty=p1", "format=xml", "scope=worker&format=xml"])
def test_a_misspelt_parameter_is_refused_rather_than_shows_the_tickets_of_everybody(query: str) -> None:
    answer = Site(desk("a")).answer("/lists/breached", query, "application/json")

    assert answer is not None
    assert answer.status == 400
    error = json.loads(answer.body)["error"]
    assert ("team, priority" in error and ("'tema'" in error or "'priorty'" in error)) or "json or csv" in error


def test_a_parameter_of_a_newer_worker_is_ignored() -> None:
    assert names(page(desk("a"), "scope=worker&colour=red")) == ["a"]


@pytest.mark.parametrize(
    ("name", "first", "absent"),
    [
        ("breached", ["Time left", "Due \N{UPWARDS ARROW}", "Ticket"], ["Paused since", "Why"]),
        ("at-risk", ["Time left", "Due \N{UPWARDS ARROW}", "Ticket"], ["Paused since", "Why"]),
        ("paused", ["Paused for", "Paused since \N{UPWARDS ARROW}", "Ticket"], ["Due", "Why"]),
        ("unmatched", ["Ticket \N{UPWARDS ARROW}", "Priority", "Team"], ["Time left", "Due", "Policy", "Commitment"]),
    ],
)
def test_a_list_has_the_columns_that_its_tickets_can_fill(name: str, first: list[str], absent: list[str]) -> None:
    answer = Site(desk("desk/1")).answer(f"/lists/{name}", "", "text/html")

    assert answer is not None
    html = answer.body.decode()
    heads = [re.sub("<[^>]*>", "", head) for head in re.findall("<th[ >].*?</th>", html)]
    assert heads[:3] == first
    assert not set(absent) & set(heads)
    filters = set(re.findall('aria-label="([^"]*)"', html))
    assert filters == set(heads) & {"Team", "Priority", "Customer", "Assignee", "Policy", "Commitment"}


def test_a_paused_commitment_shows_for_how_long() -> None:
    found = desk("desk/1", due_at=None)
    found.rows = (found.rows[0]._replace(left=None, paused_since=found.view.at - 93_600_000_000),)

    answer = Site(found).answer("/lists/paused", "", "text/html")

    assert answer is not None
    assert ">1 d 2 h</span>" in answer.body.decode()


def test_a_long_list_is_cut_and_its_page_states_how_many_there_are() -> None:
    found = page(desk("a", "b", "c"), "limit=2")
    html = Site(desk("a", "b", "c")).answer("/lists/breached", "limit=2", "text/html")

    assert (names(found), found["matching"]) == (["c", "b"], 3)
    assert html is not None
    assert "2 of 3 entries, 3 tickets in the list" in html.body.decode()


def test_a_link_leads_to_the_ticket_in_the_helpdesk() -> None:
    links = TicketLinks("https://desk.example/{source}/t/{number}?q={ticket}")

    (row,) = page(desk("acme/desk/4 2"), links=links)["rows"]
    html = Site(desk("desk/42"), links=links).answer("/lists/breached", "", "text/html")

    assert row["url"] == "https://desk.example/acme%2Fdesk/t/4%202?q=acme%2Fdesk%2F4%202"
    assert html is not None
    assert 'href="https://desk.example/desk/t/42?q=desk%2F42"' in html.body.decode()


@pytest.mark.parametrize(
    "wrong", ["desk.example/{number}", "javascript:alert({number})", "https://desk.example/", "https://{number}/t"]
)
def test_an_address_that_cannot_lead_to_a_ticket_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=re.escape("{number}")):
        ticket_url(wrong)


def test_a_spreadsheet_gets_whole_seconds_and_a_program_all_of_them() -> None:
    found = desk("desk/1")
    at = found.view.at + 123_456
    found.rows = (listed("desk/1", due_at=at, paused_since=at, acknowledged_at=at)._replace(left=-59_876_544),)
    answer = Site(found).answer("/lists/breached", "format=csv", "")

    assert answer is not None
    (cells,) = csv.DictReader(StringIO(answer.body.decode(), newline=""))
    assert {cells["due_at"], cells["paused_since"], cells["acknowledged_at"]} == {"2026-11-18T06:00:00Z"}
    assert cells["seconds_left"] == "-60"
    (row,) = page(found)["rows"]
    assert (row["due_at"], row["seconds_left"]) == ("2026-11-18T06:00:00.123456Z", -59.876544)


def test_a_spreadsheet_gets_no_formula_from_a_ticket() -> None:
    found = desk("desk/1")
    found.rows = (listed("=1+2", team='say "hi",\nplease', customer="@SUM(A1)", assignee="-kim"),)

    answer = Site(found).answer("/lists/breached", "format=csv", "")

    assert answer is not None
    assert ("Content-Disposition", 'attachment; filename="breached.csv"') in answer.headers
    (row,) = csv.DictReader(StringIO(answer.body.decode(), newline=""))
    assert (row["ticket"], row["customer"], row["assignee"]) == ("'=1+2", "'@SUM(A1)", "'-kim")
    assert row["team"] == 'say "hi",\nplease'
    assert row["seconds_left"].lstrip("-")[0].isdigit()
    assert row["due_at"].endswith("Z")


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("\t=1", "\t'=1"),
        ("\n=1", "\n'=1"),
        (' "=1', "' \"=1"),
        ("\uff1d1", "'\uff1d1"),
        ("a;=1", "a;'=1"),
        ('a; "=1";+2', "a;' \"=1\";'+2"),
        ("a\t@SUM(A1)", "a\t'@SUM(A1)"),
        ("a;b=c+d-e@f", "a;b=c+d-e@f"),
        ("tier 2, -1", "tier 2, -1"),
    ],
)
def test_a_spreadsheet_that_separates_cells_by_something_else_gets_no_formula_either(text: str, cell: str) -> None:
    found = desk("desk/1")
    found.rows = (listed("desk/1", team=text),)

    answer = Site(found).answer("/lists/breached", "format=csv", "")

    assert answer is not None
    (row,) = csv.DictReader(StringIO(answer.body.decode(), newline=""))
    assert row["team"] == cell


def test_hostile_text_of_a_ticket_is_shown_as_text() -> None:
    found = desk("x")
    found.rows = (listed(NASTY, team=NASTY, customer=NASTY, assignee=NASTY),)

    answer = Site(found, links=TicketLinks("https://desk.example/{number}")).answer("/lists/breached", "team=%3Cscript%3E", "")
    whole = Site(found).answer("/lists/breached", "", "text/html")

    assert answer is not None
    assert whole is not None
    assert b"<script>" not in answer.body + whole.body


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Server, Desk]]:
    """Another worker, which asks for the token. On a busy machine it may take longer to answer than a page waits."""
    monkeypatch.setattr(neighbours, "_PATIENCE", 60.0)
    monkeypatch.setattr(neighbours, "_ALL", 60.0)
    there = desk("there/1", "there/2")
    there.others = ("http://127.0.0.1:1",)  # it would fail if it asked further
    site = Site(there, neighbours=Neighbours(TOKEN))
    server = serve("127.0.0.1", 0, Routes(CollectorRegistry(), lambda: (True, "live"), site, TOKEN))
    yield server, there
    server.close()


def test_a_list_has_the_tickets_of_all_workers(others: tuple[Server, Desk]) -> None:
    server, there = others
    there.rows += (listed("there/3", -30, team="second-line", paused_since=1_000_000, due_at=None),)
    here = desk("here/1", "here/2", "here/3")
    here.others = (f"http://127.0.0.1:{server.port}",)

    found = page(here, neighbours=Neighbours(TOKEN))

    assert names(found) == ["here/3", "here/2", "there/2", "here/1", "there/1", "there/3"]
    assert (found["tickets"], found["complete"], found["missing"]) == (6, True, [])
    assert page(here, "team=second-line", neighbours=Neighbours(TOKEN))["matching"] == 1
    assert names(page(here, "limit=1&sort=-ticket", neighbours=Neighbours(TOKEN))) == ["there/3"]
    alone = page(here, "scope=worker", neighbours=Neighbours(TOKEN))
    assert names(alone) == ["here/3", "here/2", "here/1"]


@pytest.mark.parametrize("sort", ["due", "-due", "ticket", "-team"])
def test_the_first_rows_of_all_are_found_although_each_worker_is_asked_for_so_many_only(
    others: tuple[Server, Desk], sort: str
) -> None:
    server, there = others
    here = desk(*(f"b/{number}" for number in range(9)))
    there.rows = tuple(listed(f"{'ac'[number % 2]}/{number}", -30 * number, team=f"t{number % 3}") for number in range(20))
    here.others = (f"http://127.0.0.1:{server.port}",)
    whole = page(here, f"sort={sort}", neighbours=Neighbours(TOKEN))

    found = page(here, f"sort={sort}&limit=7", neighbours=Neighbours(TOKEN))

    assert found["rows"] == whole["rows"][:7]
    assert (found["matching"], found["tickets"], found["complete"]) == (29, 29, True)


def test_a_worker_that_cannot_be_reached_is_named_and_the_others_are_shown(others: tuple[Server, Desk]) -> None:
    server, there = others
    answers = f"http://127.0.0.1:{server.port}"
    here = desk("here/1")
    here.others = (answers, "http://127.0.0.1:1")

    found = page(here, neighbours=Neighbours(TOKEN))

    assert set(names(found)) == {"here/1", "there/1", "there/2"}
    assert not found["complete"]
    (missing,) = found["missing"]
    assert missing["worker"] == "http://127.0.0.1:1"
    assert "refused" in missing["reason"]
    there.away = "partitions are moving"
    here.others = (answers,)
    assert page(here, neighbours=Neighbours(TOKEN))["missing"] == [{"worker": answers, "reason": "status 503"}]
    assert page(here, neighbours=Neighbours("another-token-of-letters"))["missing"] == [
        {"worker": answers, "reason": "it asks for another token"}
    ]


def test_a_worker_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_PATIENCE", 0.2)
    monkeypatch.setattr(neighbours, "_ALL", 60.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        here = desk("here/1")
        here.others = (f"http://127.0.0.1:{silent.getsockname()[1]}",)

        found = page(here, neighbours=Neighbours(TOKEN))

    assert names(found) == ["here/1"]
    assert [(one["worker"], "timed out" in one["reason"]) for one in found["missing"]] == [(here.others[0], True)]


_HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n"
_NUMBER = (
    b'{"at":"2026-01-01T00:00:00Z","rows":[{"ticket":"a","state":"","policy":"","commitment":"","due_at":null,'
    b'"seconds_left":1e308,"paused_since":null,"priority":"","team":"","customer":"","assignee":"","timezone":"UTC"}],'
    b'"tickets":1,"complete":true}'
)
_ZONE = _NUMBER.replace(b"1e308", b"1").replace(b"UTC", b"No/Zone")


@pytest.mark.parametrize(
    ("sent", "goes_on"),
    [
        (b"no HTTP\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(_NUMBER), _NUMBER), b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(_ZONE), _ZONE), b""),
        (_HEAD, b"X: y\r\n"),
        (_HEAD + b"\r\n", b" "),
    ],
    ids=["not HTTP", "a number without an end", "no zone", "a head without an end", "a body without an end"],
)
def test_a_worker_that_answers_without_sense_or_end_is_named(
    sent: bytes, goes_on: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "_ALL", 60.0)
    reason = neighbours._reason
    monkeypatch.setattr(neighbours, "_reason", lambda error: f"the request ended: {reason(error)}")
    over = Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection, suppress(OSError):
                connection.sendall(sent)
                while goes_on and not over.wait(0.2):
                    connection.sendall(goes_on)

        (thread := Thread(target=answer)).start()
        worker = f"http://127.0.0.1:{listening.getsockname()[1]}"
        here = desk("here/1")
        here.others = (worker,)
        found = page(here, neighbours=Neighbours(TOKEN))
        over.set()
        thread.join()

    assert (names(found), [one["worker"] for one in found["missing"]]) == (["here/1"], [worker])
    assert found["missing"][0]["reason"].startswith("the request ended: ")  # it was not given up for the page as a whole


def test_a_worker_that_is_busy_is_reported_as_such() -> None:
    here = desk("here/1")
    here.away = "the worker is starting"

    assert page(here)["status"] == 503
