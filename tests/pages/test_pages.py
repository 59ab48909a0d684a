"""The content of the pages, as HTML and as JSON."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from stream.observe.pages.html import tag
from stream.observe.pages.limits import Limits
from stream.observe.pages.page_worker import clock
from stream.observe.pages.phrasing import left
from stream.observe.pages.site import Answer, Site
from tests.pages.paged import NASTY, Desk, ist, ticket, worker

SCHEMAS = Path(__file__).parents[2] / "schemas"
EXPLANATION = json.loads((SCHEMAS / "explanation.v1.json").read_text("utf-8"))


def schema(name: str) -> Draft202012Validator:
    registry: Registry[Any] = Registry().with_resource("explanation.v1.json", Resource.from_contents(EXPLANATION))
    return Draft202012Validator(
        json.loads((SCHEMAS / name).read_text("utf-8")),
        registry=registry,
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )


def ask(desk: Desk, path: str, query: str = "", accept: str = "text/html") -> Answer:
    answer = Site(desk).answer(path, query, accept)
    assert answer is not None
    return answer


class _Reader(HTMLParser):
    """Reads a page as a browser does: elements with their attributes, and text."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((name, dict(attributes)))
        if name not in ("base", "meta", "input"):
            self.open.append(name)

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += f"{data} "


def read(answer: Answer) -> _Reader:
    reader = _Reader()
    reader.feed(answer.body.decode())
    reader.close()
    assert reader.open == []
    return reader


def test_text_and_attributes_are_escaped_and_elements_are_not() -> None:
    made = tag("p", NASTY, tag("b", "<"), title=NASTY, hidden=True, class_=None)

    script = "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&quot;&amp;"
    assert made == f'<p title="{script}" hidden>{script}<b>&lt;</b></p>'


def test_the_content_of_a_ticket_is_shown_only_as_text(tmp_path: Path) -> None:
    fields: dict[str, Any] = {NASTY: NASTY, "team": NASTY, "tags": [NASTY, "b"]}
    nasty = ticket(tmp_path, NASTY, **fields)
    risk = worker().at_risk[0]._replace(ticket=NASTY, team=NASTY, priority=NASTY, policy=NASTY, commitment=NASTY)
    deployment = worker().deployments[0]._replace(by=NASTY, note=NASTY, changes=(NASTY,))
    desk = Desk(worker(at_risk=(risk,), status=NASTY, deployments=(deployment,)), nasty)

    for answer in (ask(desk, "/"), ask(desk, "/tickets", "id=%3Cscript%3Ealert('x')%3C/script%3E%22%26")):
        page = read(answer)
        assert NASTY in page.text
        assert "script" not in {name for name, _ in page.elements}
        for _, attributes in page.elements:
            assert not any(name.startswith("on") for name in attributes)
            assert (attributes.get("href", "/") or "").startswith(("./", "lists/", "tickets/", "/", "h"))


def test_the_id_of_an_unknown_ticket_is_shown_as_text(tmp_path: Path) -> None:
    answer = ask(Desk(worker()), "/tickets/%3Cscript%3E")

    assert answer.status == 404
    assert "<script>" in read(answer).text
    assert b"<script" not in answer.body


def test_pages_run_no_scripts_load_nothing_and_are_not_cached(tmp_path: Path) -> None:
    for answer in (ask(Desk(worker()), "/"), ask(Desk(worker(), ticket(tmp_path)), "/tickets/desk%2F42")):
        headers = dict(answer.headers)
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
        assert headers["Cache-Control"] == "no-store"
        assert not {name for name, _ in read(answer).elements} & {"script", "link", "img", "iframe"}


def test_the_style_of_a_page_is_the_one_that_its_policy_allows() -> None:
    answer = ask(Desk(worker()), "/")

    style = answer.body.partition(b"<style>")[2].partition(b"</style>")[0]
    digest = b64encode(sha256(style).digest()).decode()
    assert f"'sha256-{digest}'" in dict(answer.headers)["Content-Security-Policy"]


def test_the_first_page_lists_partitions_the_soonest_deadlines_and_the_other_workers() -> None:
    text = read(ask(Desk(worker()), "/")).text

    assert "catching up on partitions 3" in text
    assert "123,456" in text
    assert text.index("desk/41") < text.index("desk/42") < text.index("another-desk")
    assert "9 min 00 s" in text
    assert "1 h 35 min" in text
    assert "Wed 2026-11-18 11:39 IST" in text
    assert "http://127.0.0.1:9301" in text


def test_an_incomplete_list_states_the_instant_up_to_which_it_is_complete(tmp_path: Path) -> None:
    until = worker().at_risk[-1].due_at
    text = read(ask(Desk(worker(at_risk=(), at_risk_until=until)), "/")).text

    assert "Deadlines from  Wed 2026-11-18 07:35 UTC  on are not listed" in text
    assert "No commitment" not in text


def test_the_first_page_lists_deployments_with_what_they_changed_and_the_tickets_that_are_left() -> None:
    text = read(ask(Desk(worker()), "/")).text

    assert re.search(r"7\s+Wed 2026-11-18 05:58 UTC\s+deploy\s+service-desk\s+Office closed on Friday\s+0123456789ab", text)
    assert "4,321 to be woken" in text
    assert re.search(r"0\s+all time\s+deploy\s+ba9876543210\s+all have met it", text)
    assert "What deployment 7 changed" in text
    assert "Fri 2026-11-20: 09:00-17:00 -> closed" in text
    assert "The policy files of this worker differ from the newest deployment" in text


def test_a_deployment_that_another_one_replaced_is_shown_as_such() -> None:
    old = worker().deployments[0]._replace(replaced=True)
    text = read(ask(Desk(worker(deployments=(old,), files_differ=False)), "/")).text

    assert "replaced" in text
    assert "to be woken" not in text
    assert "differ" not in text


def test_a_worker_without_a_log_of_deployments_lists_none() -> None:
    page = read(ask(Desk(worker(deployments=(), files_differ=False)), "/"))

    assert "Deployments" not in page.text


def test_a_tickets_page_shows_fields_deadlines_spans_and_levels_in_the_zone_of_its_calendar(tmp_path: Path) -> None:
    text = read(ask(Desk(worker(), ticket(tmp_path)), "/tickets/desk/42")).text

    assert "first-line" in text
    assert re.search(r"first_response\s+met late\s+Mon 2026-11-16 14:00 IST", text)
    assert re.search(r"resolution\s+running\s+Wed 2026-11-18 12:30 IST\s+1 h 00 min\s+15:00:00\s+2:30:00\s+support v3", text)
    assert re.search(r"management, level team-lead, at 25% of resolution \(hierarchical\)\s+raised", text)
    assert re.search(r"management, level executive, at \+1h of resolution \(hierarchical\)\s+pending", text)
    assert "status: open -> pending (e2)" in text
    assert "will be" in text


def test_a_tickets_page_shows_the_roles_that_a_level_notifies_and_who_acknowledged_it(tmp_path: Path) -> None:
    desk = Desk(worker(), ticket(tmp_path))
    text = " ".join(read(ask(desk, "/tickets/desk/42")).text.split())
    page = json.loads(ask(desk, "/tickets/desk/42", "format=json").body)

    acknowledged = "Tue 2026-11-17 14:00 IST by agent (on-call)"
    assert f"raised Mon 2026-11-16 14:00 IST team-lead {acknowledged} no support v3" in text
    assert f"pending none while acknowledged executive {acknowledged} support v3" in text
    assert f"Notifies team-lead Acknowledged {acknowledged} Released no" in text
    lead, executive = page["explanation"]["deadlines"][2:]
    assert (lead["notify"], executive["notify"]) == (["team-lead"], ["executive"])
    assert lead["acknowledged"] == {"at": "2026-11-17T08:30:00Z", "actor": "agent", "role": "on-call", "cause": "e4"}
    assert executive["acknowledged"] == lead["acknowledged"], "it holds the level above"
    assert "released" not in lead


def test_a_tickets_page_warns_of_missing_information(tmp_path: Path) -> None:
    desk = Desk(worker(), ticket(tmp_path)._replace(live=False, gone="merged"))
    text = read(ask(desk, "/tickets/desk/42")).text

    assert "The ticket is merged" in text
    assert "The partition is catching up" in text


def test_the_page_of_an_erased_ticket_states_when_it_was_erased_and_nothing_else(tmp_path: Path) -> None:
    desk = Desk(worker(), ticket(tmp_path)._replace(fields={}, gone="erased", gone_since=ist("2026-11-18 11:30")))
    text = " ".join(read(ask(desk, "/tickets/desk/42")).text.split())
    page = json.loads(ask(desk, "/tickets/desk/42", "format=json").body)

    assert "The ticket was erased on Wed 2026-11-18 06:00 UTC" in text
    assert "Commitments" not in text
    assert "Fields" not in text
    schema("ticket-page.v1.json").validate(page)
    assert (page["gone"], page["gone_since"]) == ("erased", "2026-11-18T06:00:00Z")


@pytest.mark.parametrize(
    ("query", "accept"), [("format=json", "text/html"), ("", "application/json"), ("", "application/json, */*;q=0.1")]
)
def test_programs_get_json_at_the_same_addresses(tmp_path: Path, query: str, accept: str) -> None:
    desk = Desk(worker(), ticket(tmp_path, tags=["a", "b"]))

    page = json.loads(ask(desk, "/", query, accept).body)
    schema("worker-page.v1.json").validate(page)
    assert page["at_risk"][1] | {"due_at": ""} == {
        "ticket": "desk/42",
        "page": "/tickets/desk%2F42",
        "policy": "support",
        "commitment": "resolution",
        "priority": "p1",
        "team": "first-line",
        "state": "running",
        "due_at": "",
        "seconds_left": 540.0,
        "timezone": "Asia/Kolkata",
    }
    assert [each["remaining_tickets"] for each in page["deployments"]] == [4_321, 0]
    assert page["deployments"][1]["since"] is None
    assert page["policy_files_differ"] is True
    page = json.loads(ask(desk, "/tickets/desk/42", query, accept).body)
    schema("ticket-page.v1.json").validate(page)
    assert page["fields"]["tags"] == ["a", "b"]
    assert [each["verdict"] for each in page["explanation"]["deadlines"]] == ["met_late", "pending", "raised", "pending"]


def test_an_empty_page_conforms_to_its_schema() -> None:
    nothing = worker(partitions=(), at_risk=(), neighbours=(), at_risk_until=0)

    schema("worker-page.v1.json").validate(json.loads(ask(Desk(nothing), "/", "format=json").body))


def test_a_browser_that_accepts_anything_gets_html() -> None:
    assert ask(Desk(worker()), "/", accept="text/html,application/json;q=0.9").content_type.startswith("text/html")


def test_a_ticket_of_another_worker_is_a_redirect_that_names_the_searched_partitions() -> None:
    desk = Desk(worker())
    desk.elsewhere = {"url": "http://other:9300", "wanted": 0}

    answer = ask(desk, "/tickets/desk/4 2", "asked=1&for=2&format=json")

    assert desk.asked == [("desk/4 2", frozenset({1}), 2)]
    assert answer.status == 307
    where = dict(answer.headers)["Location"]
    assert where == "http://other:9300/tickets/desk%2F4%202?asked=1,2,3&for=0&format=json"
    assert "partition 0 is on http://other:9300" in json.loads(answer.body)["error"]


def test_an_unknown_owner_is_an_error_that_names_the_partition_and_how_to_find_it() -> None:
    desk = Desk(worker())
    desk.elsewhere = {"missing": (0, 1)}

    answer = ask(desk, "/tickets/desk/1")

    assert answer.status == 503
    assert "would be in partition 3" in read(answer).text
    assert "does not know the address of the owner of partitions 0, 1" in read(answer).text


@pytest.mark.parametrize("query", ["asked=x&for=1,y", "asked=1,,2&for=-1", "asked=99999&for=", f"asked={'1,' * 9}"])
def test_parameters_that_no_worker_sends_are_ignored(query: str) -> None:
    desk = Desk(worker())

    assert ask(desk, "/tickets/desk/1", query).status == 404
    assert desk.asked == [("desk/1", frozenset(), None)]


@pytest.mark.parametrize("path", ["/", "/tickets/desk/1"])
def test_a_worker_that_cannot_answer_now_gives_the_reason_and_the_time_to_wait(path: str) -> None:
    desk = Desk(worker())
    desk.away = "partitions are moving between workers"

    answer = ask(desk, path)

    assert answer.status == 503
    assert dict(answer.headers)["Retry-After"] == "2"
    assert "partitions are moving" in read(answer).text


@pytest.mark.parametrize("as_json", [False, True])
def test_too_many_requests_are_rejected_with_the_time_to_wait_and_do_not_reach_the_worker(as_json: bool) -> None:
    desk = Desk(worker())
    site = Site(desk, Limits(a_second=0.01, burst=1))
    query = "format=json" if as_json else ""
    assert site.answer("/tickets/desk/1", query, "text/html").status == 404  # type: ignore[union-attr]

    for path in ("/", "/tickets/desk/1", "/tickets"):
        answer = site.answer(path, query, "text/html")

        assert answer is not None
        assert answer.status == 429
        assert dict(answer.headers)["Retry-After"] == "100"
        assert b"too many pages were requested" in answer.body
    assert len(desk.asked) == 1
    assert site.answer("/nowhere", query, "") is None, "what is no page uses nothing up"


def test_while_a_page_is_built_a_few_requests_may_wait_and_the_next_is_rejected() -> None:
    limits = Limits(at_once=1)
    site = Site(Desk(worker()), limits)

    with limits.page():
        answer = site.answer("/", "", "text/html")

    assert answer is not None
    assert answer.status == 503
    assert dict(answer.headers)["Retry-After"] == "1"
    assert b"too many requests are waiting" in answer.body


def test_other_addresses_are_not_pages() -> None:
    assert Site(Desk(worker())).answer("/ticket", "", "") is None


def test_people_see_whole_seconds_and_programs_the_exact_instant() -> None:
    shown = clock(ist("2026-11-18 11:30") + 17_031_344, "Asia/Kolkata")

    assert shown == '<time datetime="2026-11-18T06:00:17.031344Z">Wed 2026-11-18 11:30:17 IST</time>'


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "passed"), (0, "0 s"), (59.9, "59 s"), (60, "1 min 00 s"), (3_660, "1 h 01 min"), (266_400, "3 d 2 h")],
)
def test_time_left_is_shown_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert left(round(seconds * 1e6)) == text
