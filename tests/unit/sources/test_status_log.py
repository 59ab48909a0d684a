"""Converting the rows of a status log to ticket events."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from stream.sources.log_rows import Cause, LogError, Refusal, read_rows, ticket_name
from stream.sources.status_log import to_events
from stream.sources.status_mapping import read_mapping
from stream.wire.decode import decode
from stream.wire.effect import encode_event
from stream.wire.incoming import Incoming
from stream.wire.instants import format_instant

if TYPE_CHECKING:
    from stream.sla.events import Event
    from stream.sources.log_mapping import LogMapping

MAPPING = """\
source: desk
columns:
  at: time
  case: case
  status: [state, detail]
  fields: {priority: prio}
time: {zone: Europe/Brussels, format: "%Y-%m-%d %H:%M"}
statuses:
  Queued / Waiting: {status: open, assignee: ""}
  Taken / Working: {status: open, assignee: agent, answers: first}
  Taken / Supplier: {dependency: supplier}
  Taken / Carrier: {dependency: carrier}
  Done / Solved: {status: solved}
  Odd / Odd: {refuse: has no meaning}
"""
HEADER = "time,case,state,detail,prio\n"


def mapping(changed: str = "", to: str = "") -> LogMapping:
    return read_mapping(MAPPING.replace(changed, to) if changed else MAPPING, "desk.yaml")


class Import:
    """A converted log: its events and the rows that were refused."""

    def __init__(self, log: str, how: LogMapping | None = None) -> None:
        how = how or mapping()
        self.refused: list[tuple[int, str]] = []
        rows = read_rows(io.StringIO(log), how, lambda refusal: self.refused.append((refusal.line, refusal.reason)))
        self.pairs = [(ticket_name(how, row.case), event) for row, events in to_events(rows, how) for event in events]
        self.events = [event for _, event in self.pairs]

    @property
    def lines(self) -> list[str]:
        return [f"{format_instant(event.at)[5:16]} {event.type} {_details(event)}".strip() for event in self.events]


def _details(event: Event) -> str:
    return event.party or " ".join(f"{name}={text}" for name, text in event.fields.items())


def test_the_first_row_of_a_case_creates_the_ticket_and_then_changes_it() -> None:
    done = Import(HEADER + "2026-01-05 09:00,7,Taken,Working,p2\n")

    assert done.lines == [
        "01-05T08:00 ticket.created status=new priority=p2",
        "01-05T08:00 ticket.changed status=open assignee=agent",
        "01-05T08:00 comment.added",
    ]
    assert [event.seq for event in done.events] == [0, 1, 2]
    assert (done.events[2].actor, done.events[2].public) == ("agent", True)
    assert {ticket for ticket, _ in done.pairs} == {"desk/7"}


def test_a_row_that_changes_nothing_gives_no_event() -> None:
    row = "2026-01-05 09:0{},7,Queued,Waiting,p2\n"

    assert len(Import(HEADER + row.format(0) + row.format(1)).events) == len(Import(HEADER + row.format(0)).events)


def test_only_the_first_answering_row_of_a_case_is_a_first_answer() -> None:
    done = Import(
        HEADER
        + "2026-01-05 09:00,7,Queued,Waiting,\n"
        + "2026-01-05 10:00,7,Taken,Working,\n"
        + "2026-01-05 11:00,7,Queued,Waiting,\n"
        + "2026-01-05 12:00,7,Taken,Working,\n"
    )

    assert [text for text in done.lines if "comment" in text] == ["01-05T09:00 comment.added"]


def test_a_dependency_ends_with_the_next_row_that_is_not_waiting_for_the_same_party() -> None:
    done = Import(
        HEADER
        + "2026-01-05 09:00,7,Taken,Supplier,\n"
        + "2026-01-05 10:00,7,Taken,Supplier,\n"
        + "2026-01-05 11:00,7,Taken,Carrier,\n"
        + "2026-01-05 12:00,7,Done,Solved,\n"
    )

    assert done.lines == [
        "01-05T08:00 ticket.created status=new",
        "01-05T08:00 dependency.started supplier",
        "01-05T10:00 dependency.ended supplier",
        "01-05T10:00 dependency.started carrier",
        "01-05T11:00 dependency.ended carrier",
        "01-05T11:00 ticket.changed status=solved",
    ]


def test_a_case_that_is_spam_is_deleted_and_the_next_row_with_another_status_restores_it() -> None:
    done = Import(
        HEADER
        + "2026-01-05 09:00,7,Queued,Waiting,\n"
        + "2026-01-05 10:00,7,Spam,Spam,\n"
        + "2026-01-05 10:30,7,Spam,Spam,\n"
        + "2026-01-05 11:00,7,Queued,Waiting,\n",
        mapping("  Odd / Odd:", "  Spam / Spam: {status: closed, deleted: yes}\n  Odd / Odd:"),
    )

    assert done.lines == [
        "01-05T08:00 ticket.created status=new",
        "01-05T08:00 ticket.changed status=open",
        "01-05T09:00 ticket.deleted",
        "01-05T09:00 ticket.changed status=closed",
        "01-05T10:00 ticket.restored",
        "01-05T10:00 ticket.changed status=open",
    ]


def test_a_changed_column_is_a_changed_field_and_an_emptied_one_is_cleared() -> None:
    done = Import(
        HEADER
        + "2026-01-05 09:00,7,Queued,Waiting,p2\n"
        + "2026-01-05 10:00,7,Queued,Waiting,p1\n"
        + "2026-01-05 11:00,7,Queued,Waiting,\n"
    )

    assert done.lines[-2:] == ["01-05T09:00 ticket.changed priority=p1", "01-05T10:00 ticket.changed priority="]


def test_events_are_in_time_order_even_if_the_rows_are_not() -> None:
    done = Import(
        HEADER
        + "2026-01-05 12:00,7,Done,Solved,\n"
        + "2026-01-05 10:00,8,Queued,Waiting,\n"
        + "2026-01-05 09:00,7,Queued,Waiting,\n"
    )

    assert [event.at for event in done.events] == sorted(event.at for event in done.events)
    assert done.lines[0] == "01-05T08:00 ticket.created status=new"


def test_rows_of_one_case_at_one_instant_keep_the_order_of_the_log() -> None:
    done = Import(HEADER + "2026-01-05 09:00,7,Done,Solved,\n" + "2026-01-05 09:00,7,Queued,Waiting,\n")

    assert done.lines[1:] == ["01-05T08:00 ticket.changed status=solved", "01-05T08:00 ticket.changed status=open"]
    assert sorted(done.events, key=lambda event: event.key) == done.events


def test_importing_a_log_twice_gives_the_same_unique_ids() -> None:
    log = HEADER + "".join(f"2026-01-05 {hour:02}:00,{case},Taken,Working,\n" for hour in range(24) for case in "789")

    assert Import(log).events == Import(log).events
    assert len({event.id for event in Import(log).events}) == len(Import(log).events)


def test_decode_accepts_every_event() -> None:
    case = "c" * 200
    done = Import(
        HEADER
        + f"2026-01-05 09:00,{case},Taken,Supplier,{'p' * 64}\n"
        + f"2026-01-05 10:00,{case},Taken,Working,\n"
        + "2026-01-05 10:00,Büro 1,Done,Solved,p1\n"
    )

    assert done.refused == []
    assert [decode(name.encode(), encode_event(name, event), now=None) for name, event in done.pairs] == [
        Incoming(name, event) for name, event in done.pairs
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2026-01-05 09:00,7,Odd,Odd,", "'Odd / Odd': has no meaning"),
        ("2026-01-05 09:00,7,Lost,Found,", "the mapping has no meaning for the status 'Lost / Found'"),
        ("05/01/2026 09:00,7,Done,Solved,", "the time '05/01/2026 09:00' is not in the format %Y-%m-%d %H:%M"),
        ("1969-01-05 09:00,7,Done,Solved,", "the time '1969-01-05 09:00' is outside the years 1970 to 2199"),
        ("0001-01-01 00:00,7,Done,Solved,", "the time '0001-01-01 00:00' is outside the years 1970 to 2199"),
        ("2026-01-05 09:00,,Done,Solved,", "the case (case) has 0 characters; it must have 1 to 200"),
        ("2026-01-05 09:00,7,Done,Solved", "has 4 columns, but the header has 5"),
        ("2026-01-05 09:00,7,Done,Solved," + "p" * 65, "priority (prio) has more than 64 characters"),
        (
            "2026-01-05 09:00,\udc80,Done,Solved,",
            "case has bytes that are not in the encoding of the log: state it in the mapping as `encoding`",
        ),
        (
            "2026-03-29 02:30,7,Done,Solved,",
            "the time '2026-03-29 02:30' does not exist in Europe/Brussels: the clocks went forward past it",
        ),
        (
            '2026-01-05 09:00,7,"Do"ne,Solved,',
            "not readable as CSV: ',' expected after '\"'; is a quotation mark missing or too many?",
        ),
    ],
)
def test_a_row_without_a_meaning_is_refused_with_its_line_and_the_reason(row: str, reason: str) -> None:
    done = Import(f"{HEADER}{row}\n2026-01-05 09:00,8,Done,Solved,\n")

    assert done.refused == [(2, reason)]
    assert {event.id.split("#")[0] for event in done.events} == {"8"}


def test_a_stray_quotation_mark_costs_its_own_row_and_no_other() -> None:
    row = "2026-01-05 09:00,{},Done,Solved,{}\n"
    done = Import(HEADER + row.format(1, "") + row.format('"2', "") + "".join(row.format(case, "") for case in range(3, 5000)))

    assert [line for line, _ in done.refused] == [3]
    assert {event.id.split("#")[0] for event in done.events} == {"1", *map(str, range(3, 5000))}


def test_rows_inside_the_cell_of_another_row_are_not_read_and_all_their_lines_are_counted() -> None:
    refused: list[Refusal] = []
    log = "who," + HEADER + 'x,2026-01-05 09:00,1,Done,Solved,"\nx,2026-01-05 09:00,2,Done,Solved,\n"\n'
    how = mapping()

    assert read_rows(io.StringIO(log), how, refused.append) == []
    (refusal,) = refused
    assert (refusal.line, refusal.lines, refusal.cause) == (2, 3, Cause.CSV)


def test_a_cell_may_have_lines_with_as_many_commas_as_a_row() -> None:
    done = Import("note," + HEADER + '"Hello,\nI, who, asked, do, not, know\n",2026-01-05 09:00,7,Done,Solved,\n')

    assert (done.refused, len(done.events)) == ([], 2)


def test_a_time_that_occurs_twice_is_the_first_of_the_two() -> None:
    assert Import(HEADER + "2026-10-25 02:30,7,Done,Solved,\n").lines[0].startswith("10-25T00:30")


@pytest.mark.parametrize("newest_first", [False, True])
def test_the_rows_of_a_case_keep_their_order_in_the_hour_that_autumn_repeats(newest_first: bool) -> None:
    rows = [
        "2026-10-25 02:50,7,Queued,Waiting,\n",
        "2026-10-25 02:10,7,Taken,Working,\n",
        "2026-10-25 02:40,8,Queued,Waiting,\n",
        "2026-10-25 02:20,7,Taken,Supplier,\n",
        "2026-10-25 03:00,7,Done,Solved,\n",
        "2026-10-25 05:00,9,Done,Solved,\n",
    ]
    done = Import(HEADER + "".join(reversed(rows) if newest_first else rows))

    times = {f"{event.id.split('#')[0]} {format_instant(event.at)[11:16]}" for event in done.events}
    assert times == {"7 00:50", "7 01:10", "7 01:20", "7 02:00", "8 00:40", "9 04:00"}


ONE_MINUTE = [
    "2026-01-05 09:30,7,Queued,Waiting,\n",
    "2026-01-05 09:30,7,Taken,Working,\n",
    "2026-01-05 09:30,7,Done,Solved,\n",
]
OTHERS = ["2026-01-05 09:00,8,Queued,Waiting,\n", "2026-01-05 10:00,9,Queued,Waiting,\n"]


@pytest.mark.parametrize(
    ("rows", "order"),
    [
        ([OTHERS[0], *ONE_MINUTE, OTHERS[1]], "auto"),
        ([OTHERS[1], *ONE_MINUTE[::-1], OTHERS[0]], "auto"),
        (ONE_MINUTE, "auto"),
        (ONE_MINUTE, "oldest_first"),
        (ONE_MINUTE[::-1], "newest_first"),
        ([OTHERS[0], *ONE_MINUTE[::-1], OTHERS[1]], "newest_first"),
    ],
)
def test_rows_of_one_instant_have_the_order_of_the_log(rows: list[str], order: str) -> None:
    done = Import(HEADER + "".join(rows), mapping("source: desk", f"source: desk\norder: {order}"))

    seen = [line for line, event in zip(done.lines, done.events, strict=True) if event.id.startswith("7#")]
    assert [line.split()[-1] for line in seen if "status=" in line][-1] == "status=solved"


def test_an_iso_time_may_bring_its_own_offset() -> None:
    log = HEADER + "2026-01-05T09:00:00-05:00,7,Done,Solved,\n2026-01-05 16:00:00.250,7,Queued,Waiting,\n"
    done = Import(log, mapping('"%Y-%m-%d %H:%M"', "iso"))

    assert [format_instant(event.at) for event in done.events[1:]] == ["2026-01-05T14:00:00Z", "2026-01-05T15:00:00.25Z"]


def test_empty_lines_and_columns_without_a_mapping_are_skipped() -> None:
    done = Import("who,time,case,state,detail,prio\n\nx,2026-01-05 09:00,7,Done,Solved,\n\n")

    assert (len(done.events), done.refused) == (2, [])


def test_columns_without_a_mapping_may_share_a_name() -> None:
    done = Import("time,case,state,detail,prio,Comment,Comment,,\n2026-01-05 09:00,7,Done,Solved,,a,b,,\n")

    assert (len(done.events), done.refused) == (2, [])


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ("", r"no column 'time', 'case', 'state', 'detail', 'prio'; its header is \[\]"),
        ("time;case;state;detail;prio\n", "no column"),
        ("time,case,state,detail,prio,case\n", "'case' more than once"),
    ],
)
def test_a_log_that_lacks_a_column_raises_an_error(log: str, message: str) -> None:
    with pytest.raises(LogError, match=message):
        Import(log)
