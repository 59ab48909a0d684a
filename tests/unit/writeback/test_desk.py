"""A desk writes what its tickets are to have: once, over nobody's change, and without delaying another desk."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from stream.sla.effects import Kind
from stream.writeback.apis.opening import opened
from stream.writeback.desk import Desk, Tickets
from stream.writeback.desk_file import DeskFile, load
from stream.writeback.metrics import WritebackMetrics
from stream.writeback.record import TicketRecord
from tests.effects import effect_of
from tests.unit.writeback.desks import FakeDesk, FakeJira, FakeZendesk, in_a_loop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ZENDESK = """\
desk: zendesk
system: zendesk
url: URL
login: {bearer: env:SECRET}
tickets: zd/{id}
rate: 6000
write:
  - {field: 1, value: due}
  - {field: 2, value: overdue, kind: checkbox}
  - {field: group_id, value: team, table: {tier 2: 77}}
  - {tag: sla-breached, when: breached}
"""
JIRA = """\
desk: jira
system: jira
url: URL
login: {bearer: env:SECRET}
tickets: jira/{id}
rate: 6000
write:
  - {field: customfield_10, value: due}
  - {field: customfield_11, value: level, kind: option}
  - {tag: sla-breached, when: breached}
"""
DUE = "2026-03-02T10:00:00Z"
HOUR = 3_600_000_000
NINE = 1_772_442_000_000_000  # 2026-03-02T09:00:00Z


class Records:
    """The records of tickets, and how often each was written."""

    def __init__(self) -> None:
        self.records: dict[str, TicketRecord] = {}
        self.ended: list[tuple[str, bool]] = []
        self.one_ended = asyncio.Event()
        self.running: asyncio.Future[None] | None = None
        self.count = 0

    def take(self, ticket: str, kind: Kind, at: int, due: int | None = None, **fields: Any) -> None:
        effect = effect_of(kind, id=f"{kind}-{at}", ticket=ticket, at=NINE + at, due_at=due and NINE + due, **fields)
        self.records.setdefault(ticket, TicketRecord()).take(effect, "out/0", self.count)
        self.count += 1

    def started(self, ticket: str) -> None:
        self.take(ticket, Kind.STARTED, 0, HOUR, commitment="resolution")

    def breached(self, ticket: str) -> None:
        self.take(ticket, Kind.BREACHED, HOUR, HOUR, commitment="resolution")

    async def end(self, ticket: str, done: bool) -> None:
        self.ended.append((ticket, done))
        self.one_ended.set()

    async def until_ended(self, count: int) -> None:
        """Wait until so many have ended."""
        async with asyncio.timeout(60):
            while len(self.ended) < count:
                self.one_ended.clear()
                await self.one_ended.wait()
                if self.running is not None and self.running.done():
                    await self.running  # it ended with an error

    def hooks(self) -> Tickets:
        return Tickets(self.records.__getitem__, lambda _: None, self.end)


class Running:
    """A desk that runs, and what it has done."""

    def __init__(self, desk: Desk, records: Records, metrics: WritebackMetrics) -> None:
        self.desk, self.records, self._metrics = desk, records, metrics

    async def write(self, *tickets: str) -> None:
        """Let tickets be written, and wait until that has ended."""
        before = len(self.records.ended)
        for ticket in tickets:
            self.desk.add(ticket, 0, 1)
        await self.records.until_ended(before + len(tickets))

    def outcomes(self) -> dict[str, float]:
        found = {}
        for family in self._metrics.registry.collect():
            for sample in family.samples:
                if (
                    sample.name == "sla_writeback_tickets_total"
                    and sample.value
                    and sample.labels["desk"] == self.desk.file.name
                ):
                    found[sample.labels["outcome"]] = sample.value
        return found


def file_of(tmp_path: Path, text: str, fake: FakeDesk) -> DeskFile:
    path = tmp_path / f"{type(fake).__name__}.yaml"
    path.write_text(text.replace("URL", fake.url), "utf-8")
    return load(str(path))[0]


@asynccontextmanager
async def running(
    tmp_path: Path, text: str, fake: FakeDesk, *, records: Records | None = None, write: bool = True
) -> AsyncIterator[Running]:
    records = records or Records()
    async with AsyncExitStack() as stack:
        if not fake.url:
            await stack.enter_async_context(fake.serving())
        file = file_of(tmp_path, text, fake)
        metrics = WritebackMetrics([file.name])
        reached = await stack.enter_async_context(opened(file, {"SECRET": "secret"}))
        desk = Desk(reached, records.hooks(), metrics, write=write)
        task = asyncio.ensure_future(desk.run())
        task.add_done_callback(lambda _: records.one_ended.set())
        records.running = task
        try:
            yield Running(desk, records, metrics)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@in_a_loop
async def test_zendesk_gets_fields_a_group_and_a_tag_beside_those_of_others(tmp_path: Path) -> None:
    fake = FakeZendesk()
    ticket = fake.add("7", tags=["vip"])
    async with running(tmp_path, ZENDESK, fake) as run:
        run.records.started("zd/7")
        await run.write("zd/7")
        assert (ticket["custom_fields"][0]["value"], ticket["tags"]) == (DUE, ["vip"])
        run.records.breached("zd/7")
        run.records.take("zd/7", Kind.RAISED, HOUR, ladder="l", level="lead", assign_to="tier 2")
        await run.write("zd/7")

    assert (ticket["custom_fields"], ticket["tags"], ticket["group_id"]) == (
        [{"id": 1, "value": None}, {"id": 2, "value": True}],
        ["sla-breached", "vip"],
        77,
    )
    assert run.outcomes() == {"written": 2}
    assert all("comment" not in body["ticket"] for body in fake.writes)


@in_a_loop
async def test_what_was_taken_back_is_written_again(tmp_path: Path) -> None:
    fake = FakeZendesk()
    ticket = fake.add("7")
    async with running(tmp_path, ZENDESK, fake) as run:
        run.records.started("zd/7")
        run.records.breached("zd/7")
        await run.write("zd/7")
        assert ticket["tags"] == ["sla-breached"]
        run.records.take("zd/7", Kind.BREACH_RETRACTED, HOUR, retracts=f"{Kind.BREACHED}-{HOUR}")
        await run.write("zd/7")

    assert (ticket["tags"], [each["value"] for each in ticket["custom_fields"]]) == ([], [DUE, False])


@in_a_loop
async def test_a_repetition_asks_nothing_and_one_after_a_crash_writes_nothing(tmp_path: Path) -> None:
    fake = FakeZendesk()
    fake.add("7")
    async with running(tmp_path, ZENDESK, fake) as run:
        run.records.started("zd/7")
        await run.write("zd/7")
        asked = len(fake.asked)
        await run.write("zd/7")
        assert len(fake.asked) == asked
        run.records.records["zd/7"].written.clear()
        await run.write("zd/7")

    assert len(fake.writes) == 1
    assert run.outcomes() == {"written": 1, "unchanged": 1}


@in_a_loop
async def test_an_agents_change_in_between_is_kept(tmp_path: Path) -> None:
    fake = FakeZendesk()
    ticket = fake.add("7")

    def by_an_agent(found: dict[str, Any]) -> None:
        if "urgent" not in found["tags"]:
            found["tags"] = ["urgent"]
            found["updated_at"] += "!"

    fake.before_write = by_an_agent
    async with running(tmp_path, ZENDESK, fake) as run:
        run.records.started("zd/7")
        run.records.breached("zd/7")
        await run.write("zd/7")

    assert ticket["tags"] == ["sla-breached", "urgent"]
    assert len(fake.writes) == 2


@in_a_loop
async def test_a_person_who_takes_a_tag_off_or_moves_a_ticket_on_is_not_overruled(tmp_path: Path) -> None:
    fake = FakeZendesk()
    ticket = fake.add("7")
    async with running(tmp_path, ZENDESK, fake) as run:
        run.records.started("zd/7")
        run.records.breached("zd/7")
        run.records.take("zd/7", Kind.RAISED, HOUR, ladder="l", level="lead", assign_to="tier 2")
        await run.write("zd/7")
        ticket.update(tags=[], group_id=5)
        run.records.take("zd/7", Kind.STARTED, 2 * HOUR, 3 * HOUR, commitment="next_response")
        await run.write("zd/7")

    assert (ticket["tags"], ticket["group_id"], ticket["custom_fields"][0]["value"]) == ([], 5, "2026-03-02T12:00:00Z")


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (None, "closed"),
        (web.json_response({"error": "RecordNotFound"}, status=404), "gone"),
    ],
)
@in_a_loop
async def test_what_a_desk_refuses_is_counted_and_not_tried_again(
    tmp_path: Path, answer: web.Response | None, outcome: str
) -> None:
    fake = FakeZendesk()
    fake.add("7", status="closed" if answer is None else "open")
    fake.add("8")
    if answer is not None:
        fake.instead.append(answer)
    async with running(tmp_path, ZENDESK, fake) as run:
        run.records.started("zd/7")
        run.records.started("zd/8")
        await run.write("zd/7", "zd/8")

    assert run.records.ended == [("zd/7", True), ("zd/8", True)]
    assert run.outcomes() == {outcome: 1, "written": 1}


@pytest.mark.parametrize(
    "answer",
    [
        web.json_response({"error": "RecordInvalid"}, status=422),
        web.json_response({"error": "Forbidden"}, status=403),
        web.Response(text=1_020 * "[" + 1_020 * "]", status=422),
        web.json_response({"something": "else"}),
        web.json_response([1]),
    ],
)
@in_a_loop
async def test_a_refused_change_of_one_field_is_not_repeated(tmp_path: Path, answer: web.Response) -> None:
    fake = FakeZendesk()
    fake.add("7")
    fake.instead.append(answer)
    one_field = ZENDESK.split("  - {field: 2", maxsplit=1)[0]
    async with running(tmp_path, one_field, fake) as run:
        run.records.started("zd/7")
        await run.write("zd/7")

    assert (run.records.ended, run.outcomes(), len(fake.asked)) == ([("zd/7", True)], {"refused": 1}, 1)


@in_a_loop
async def test_a_value_that_a_field_does_not_take_keeps_back_no_other(tmp_path: Path) -> None:
    fake = FakeZendesk()
    fake.not_taken = (DUE,)
    ticket = fake.add("7")
    async with running(tmp_path, ZENDESK, fake) as run:
        run.records.started("zd/7")
        run.records.take("zd/7", Kind.BREACHED, 0, 0, commitment="other")
        await run.write("zd/7")

    assert ([each["value"] for each in ticket["custom_fields"]], ticket["tags"]) == ([None, True], ["sla-breached"])
    assert run.outcomes() == {"written": 1, "refused": 1}
    assert run.records.records["zd/7"].written.keys() == {"2", "tag:sla-breached"}


@in_a_loop
async def test_a_field_that_a_ticket_does_not_have_keeps_back_no_other(tmp_path: Path) -> None:
    fake = FakeZendesk()
    ticket = fake.add("7", custom_fields=[{"id": 2, "value": False}])
    async with running(tmp_path, ZENDESK, fake) as run:
        run.records.started("zd/7")
        run.records.breached("zd/7")
        run.records.take("zd/7", Kind.STARTED, 0, 5 * HOUR, commitment="other")
        await run.write("zd/7")

    assert (ticket["custom_fields"], ticket["tags"]) == ([{"id": 2, "value": True}], ["sla-breached"])
    assert run.outcomes() == {"written": 1, "refused": 1}
    assert "1" not in run.records.records["zd/7"].written


@in_a_loop
async def test_a_desk_that_is_busy_is_left_alone_for_as_long_as_it_asks(tmp_path: Path) -> None:
    fake = FakeZendesk()
    ticket = fake.add("7")
    fake.instead.append(web.Response(status=429, headers={"Retry-After": "2"}))
    clock = asyncio.get_running_loop().time
    async with running(tmp_path, ZENDESK, fake) as run:
        run.records.started("zd/7")
        await run.write("zd/7")
        assert (run.records.ended, "429" in run.desk.problem, run.outcomes()) == ([("zd/7", False)], True, {})
        assert run.desk.pace.paused_until > clock()
        assert (run.desk.waiting.next or 0) >= run.desk.pace.paused_until
        run.desk.pace.paused_until = 0
        run.desk.waiting.clear()
        await run.write("zd/7")

    assert (ticket["custom_fields"][0]["value"], run.desk.problem, run.outcomes()) == (DUE, "", {"written": 1})


@pytest.mark.parametrize("status", [401, 302, 500, 503])
@in_a_loop
async def test_whatever_may_pass_is_tried_again(tmp_path: Path, status: int) -> None:
    fake = FakeZendesk()
    fake.add("7")
    fake.instead.append(web.Response(status=status, headers={"Location": "http://other.example/"}))
    async with running(tmp_path, ZENDESK, fake) as run:
        run.records.started("zd/7")
        await run.write("zd/7")

        assert run.records.ended == [("zd/7", False)]
        assert str(status) in run.desk.problem
        assert "zd/7" in run.desk.waiting


@in_a_loop
async def test_a_desk_that_is_down_delays_no_other(tmp_path: Path) -> None:
    zendesk, jira, records = FakeZendesk(), FakeJira(), Records()
    zendesk.url = "http://127.0.0.1:9"  # nobody listens there
    issue = jira.add("DESK-1", customfield_10=None, customfield_11=None)
    async with running(tmp_path, ZENDESK, zendesk, records=records) as down, running(tmp_path, JIRA, jira) as up:
        records.started("zd/7")
        await down.write("zd/7")
        up.records.started("jira/DESK-1")
        await up.write("jira/DESK-1")
        assert down.desk.problem.startswith("no answer")

    assert issue["customfield_10"] == "2026-03-02T10:00:00.000+0000"


@in_a_loop
async def test_jira_gets_fields_and_labels_and_notifies_nobody(tmp_path: Path) -> None:
    fake = FakeJira()
    issue = fake.add("DESK-1", customfield_10=None, customfield_11=None, labels=["mine"])
    async with running(tmp_path, JIRA, fake) as run:
        run.records.started("jira/DESK-1")
        run.records.breached("jira/DESK-1")
        run.records.take("jira/DESK-1", Kind.RAISED, HOUR, ladder="l", level="lead")
        await run.write("jira/DESK-1")
        assert (issue["customfield_11"], issue["labels"]) == ({"value": "lead"}, ["mine", "sla-breached"])
        run.records.take("jira/DESK-1", Kind.RELEASED, 2 * HOUR, ladder="l", level="lead")
        await run.write("jira/DESK-1")

    assert (issue["customfield_11"], issue["labels"]) == (None, ["mine", "sla-breached"])
    assert [path for method, path, _ in fake.asked if method == "PUT"] == ["/rest/api/2/issue/DESK-1?notifyUsers=false"] * 2


@in_a_loop
async def test_a_dry_run_asks_the_desk_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fake = FakeZendesk()
    fake.add("7")
    caplog.set_level("INFO")
    async with running(tmp_path, ZENDESK, fake, write=False) as run:
        run.records.started("zd/7")
        run.records.breached("zd/7")
        await run.write("zd/7")

    assert (fake.asked, run.outcomes()) == ([], {"dry_run": 1})
    assert "zendesk: ticket zd/7 would get 2 = yes, tag:sla-breached = yes" in caplog.text


@in_a_loop
async def test_a_value_that_no_table_lists_is_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fake = FakeZendesk()
    ticket = fake.add("7")
    async with running(tmp_path, ZENDESK, fake) as run:
        run.records.started("zd/7")
        run.records.take("zd/7", Kind.RAISED, HOUR, ladder="l", level="lead", assign_to="tier 9")
        await run.write("zd/7")

    assert (ticket["custom_fields"][0]["value"], ticket["group_id"]) == (DUE, None)
    assert "the table of group_id does not have the team 'tier 9'" in caplog.text


@in_a_loop
async def test_a_desk_that_is_held_begins_nothing_and_finishes_what_it_began(tmp_path: Path) -> None:
    fake = FakeZendesk()
    fake.add("7")
    async with running(tmp_path, ZENDESK, fake) as run:
        run.records.started("zd/7")
        run.desk.add("zd/7", 0, 1)
        await asyncio.sleep(0)
        await run.desk.hold()
        ended = len(run.records.ended)
        run.desk.add("zd/7", 0, 1)
        await asyncio.sleep(0.05)
        assert len(run.records.ended) == ended
        run.desk.release()
        await run.records.until_ended(ended + 1)


@in_a_loop
async def test_a_ticket_whose_answer_comes_in_pieces_is_written(tmp_path: Path) -> None:
    fake = FakeZendesk()
    ticket = fake.add("7", description="x" * 1_000_000)
    async with running(tmp_path, ZENDESK, fake) as run:
        run.records.started("zd/7")
        await run.write("zd/7")

    assert (run.desk.problem, ticket["custom_fields"][0]["value"]) == ("", DUE)


@in_a_loop
async def test_a_pause_without_sense_does_not_end_the_desk(tmp_path: Path) -> None:
    fake = FakeZendesk()
    fake.add("7")
    fake.instead.append(web.Response(status=503, headers={"Retry-After": "Thu, 01 Jan 2026 00:00:00 +99999999999999999999"}))
    async with running(tmp_path, ZENDESK, fake) as run:
        run.records.started("zd/7")
        await run.write("zd/7")
        await run.records.until_ended(2)

    assert [done for _, done in run.records.ended] == [False, True]
