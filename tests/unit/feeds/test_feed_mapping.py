"""Mapping files: every problem with its line, and mappings that extend others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stream.documents.document import DocumentError
from stream.feeds.mapping import Delivery, Otherwise, check, load, shipped
from tests.unit.feeds.mappings import AT, CHANGE, DESK, events_of, mapping_of, problems_of, read_by, unmapped_of, write

if TYPE_CHECKING:
    from pathlib import Path


def test_a_mapping_has_what_its_file_states(tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path,
        DESK + "title: Desk 4\ndelivery: [push, pull]\nsignature: {scheme: hmac-sha256, header: X-Own}\notherwise: refuse\n",
    )

    assert (mapping.name, mapping.source, mapping.title) == ("desk", "desk", "Desk 4")
    assert mapping.delivery == (Delivery.PUSH, Delivery.PULL)
    assert mapping.signature is not None
    assert (mapping.signature.name, mapping.signature.header) == ("hmac-sha256", "x-own")
    assert mapping.otherwise is Otherwise.REFUSE


def test_the_shipped_mappings_are_named_and_have_no_problem() -> None:
    assert {"rt", "django-helpdesk", "redmine", "libredesk"} <= set(shipped())
    for name in shipped():
        assert check(name).problems == ()
        assert load(name).name == name


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("source: desk", "sauce: desk", "1: sauce: unknown key, did you mean `source`?"),
        ("source: desk", "title: desk", "1: `source` is missing"),
        ("source: desk", "source: '{x}'", "1: source: must be text of 1 to 256 characters without braces"),
        ('"1": open', '"1": opened', "3: tables.status.1: `opened` is not a value of `status`: use one of new,"),
        ('"1": open', '"1": [open]', "3: tables.status.1: the row for `1` must be one value, not a list"),
        ("tables:\n", "tables:\n  odd: 5\n", '3: tables.odd: must be a mapping with a row for each value'),
        ("table: status", "table: stat", "10: events[0].say.fields.status.table: `stat` is not a table"),
        ('ticket: "{id}"', 'ticket: "{id"', "5: common.ticket: `{id` has a brace without its partner"),
        ('ticket: "{id}"', 'ticket: "{!id.x}"', "write `!(a.b)`"),
        ('ticket: "{id}"', 'tickets: "{id}"', "5: common.tickets: unknown key, did you mean `ticket`?"),
        ('  id: "{change}"\n', "", "`id` is missing: ticket.changed needs it, here or in `common`"),
        ("ticket.changed", "ticket.updated", "`ticket.updated` is not an event type"),
        ("comment.added", "comment.add", "did you mean `comment.added`?"),
        ('public: "{public}"', "public: yes", "12: events[1].say.public: `yes` is not a value of `public`: use one of true,"),
        (', public: "{public}"', "", "12: events[1].say: `public` is missing: comment.added needs it"),
        (', public: "{public}"', ', publik: "{public}"', "unknown key, did you mean `public`?"),
        ("when: kind == 'change'", "when: kind == change and x", "use && for and"),
        ("when: kind == 'change'", "when: '{kind}'", "a condition has no braces"),
        ("when: kind == 'change'", "when: 5", "must be a condition such as"),
        ("- when: kind == 'comment'\n    say:", "- when: kind == 'comment'\n    tell:", "unknown key"),
        ("- when: kind == 'comment'\n    say:", "- skip: ''\n    say:", "must have one of say"),
        ('team: "{team}"', 'team: {from: "{team}"}', "must have `from` and one of table, time, split"),
        ('team: "{team}"', "team: {from: team, table: status}", 'must read a path: write it in braces, as in "{team}"'),
        ('team: "{team}"', 'team: {from: "{team}", table: status, time: s}', "must have `from` and one of"),
        ('team: "{team}"', 'team: {from: "{team}", split: 5}', "must be the text between two parts"),
        ('team: "{team}"', "team: []", "must be a list with at least one {when, is}"),
        ('team: "{team}"', "team: [{is: a}, {when: b, is: c}]", "no later item is ever used"),
        ('team: "{team}"', "team: [{when: b}]", "`is` is missing"),
        ('team: "{team}"', "'@team': x", "does not begin with @"),
        ('at: "{at}"', 'at: {from: "{at}", time: sec}', "`sec` is not a form of times"),
        ('at: "{at}"', 'at: {from: "{at}", time: s, zone: UTC}', "has no zone; remove `zone`"),
        ('at: "{at}"', 'at: {from: "{at}", time: "%d/%m/%Y %H:%M"}', "so `zone` is needed"),
        ('at: "{at}"', 'at: {from: "{at}", time: "%H:%M", zone: UTC}', "lacks the year"),
        ('at: "{at}"', 'at: {from: "{at}", time: iso, zone: Europe/Atlantis}', "is not an IANA time zone"),
        ('at: "{at}"', 'at: {from: "{at}", split: x, zone: UTC}', "`zone` belongs to `time`"),
        ('team: "{team}"', 'team: {from: "{team}", split: x, else: same}', "`else` belongs to `table`"),
        ('team: "{team}"', 'team: {from: "{team}", table: status, else: x}', "can only be `same`"),
        ("events:\n", "otherwise: drop\nevents:\n", "must be one of skip, refuse, not `drop`"),
        ("events:\n", "delivery: pushed\nevents:\n", "must be one of push, pull, not `pushed`"),
        ("events:\n", "extends: zendesck\nevents:\n", "8: extends: `zendesck` is neither a file nor a shipped mapping"),
        ("events:\n", "signature: {scheme: jira, secret: env:X}\nevents:\n", "a mapping has no secrets"),
        ("events:\n", "signature: {scheme: giro}\nevents:\n", "`giro` is not a scheme"),
        ("events:\n", "signature: header\nevents:\n", "`header` is missing"),
        ("events:\n", "signature: {scheme: token, header: X}\nevents:\n", "takes the secret from the path"),
        ("events:\n", "signature: {scheme: jira, header: 'X Y'}\nevents:\n", "must be the name of a header"),
        ("events:\n", "signature: {scheme: jira, prefix: x}\nevents:\n", "belongs to the schemes hmac-sha256, header"),
        ("events:\n", "signature: {scheme: jira, tolerance: 5m}\nevents:\n", "have no signed timestamp"),
        ("events:\n", "signature: {scheme: glpi, tolerance: 5bh}\nevents:\n", "must be wall time"),
        ("events:\n", "signature: {scheme: glpi, tolerance: 1mo}\nevents:\n", "must be wall time"),
        ("events:\n", "signature: {scheme: glpi, tolerance: soon}\nevents:\n", "soon"),
        ("events:\n", "fields: 5\nevents:\n", "must be a mapping from ticket fields to values"),
    ],
)  # fmt: skip
def test_a_problem_is_reported_with_its_line_and_a_remedy(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in DESK

    found = problems_of(tmp_path, DESK.replace(old, new))

    assert any(problem in line for line in found), found


def test_all_problems_are_reported_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    text = DESK.replace('"1": open', '"1": opened').replace("table: status", "table: stat").replace("comment.added", "comment")

    assert [problem.split(":")[0] for problem in problems_of(tmp_path, text)] == ["10", "12"]
    with_table = text.replace("table: stat}", "table: status}")
    assert [problem.split(":")[0] for problem in problems_of(tmp_path, with_table)] == ["3", "12"]


def test_a_mapping_that_is_not_usable_raises_with_every_problem(tmp_path: Path) -> None:
    with pytest.raises(DocumentError) as caught:
        load(write(tmp_path, "source: desk\n"))

    assert [problem.message for problem in caught.value.problems] == ["`common` is missing", "`events` is missing"]


def test_a_name_that_is_neither_a_file_nor_shipped_is_reported_with_those_that_are() -> None:
    (problem,) = check("zendesck").problems

    assert str(problem).startswith(
        "zendesck: there is no such file, and no such mapping ships with breachwatch, did you mean `zendesk`?; there are: "
    )


def test_a_file_that_is_not_a_mapping_is_reported(tmp_path: Path) -> None:
    assert problems_of(tmp_path, "- a\n")[0].startswith("1: must be a mapping with the keys extends,")
    assert "cannot be read" in check(tmp_path / "none.yaml").problems[0].message
    assert "is not YAML" in problems_of(tmp_path, "a: [")[0]


# What users change: statuses and priorities of their own, the field with the contract, the names of teams.
OWN = """\
extends: desk.yaml
source: support
tables:
  status: {"3": solved, "2": on_hold}
  team: {first line: L1}
fields:
  contract: "{custom.contract}"
  team: {from: "{team}", table: team}
events:
  - when: brand == 'other'
    skip: another brand
"""


def test_an_extending_mapping_has_its_own_rows_fields_source_and_rules(tmp_path: Path) -> None:
    write(tmp_path, DESK)
    mapping = load(write(tmp_path, OWN, "own.yaml"))

    for status, expected in {1: "open", 2: "on_hold", 3: "solved"}.items():
        change, shown = events_of(read_by(mapping, {**CHANGE, "status": status, "custom": {"contract": "gold"}}))
        assert (change["source"], change["ticket"]) == ("support", "support/7")
        assert (change["fields"], shown["fields"]) == ({"status": expected}, {"team": "L1", "contract": "gold"})
    assert read_by(mapping, {**CHANGE, "brand": "other"}).skipped == "another brand"


def test_a_payload_that_does_not_fit_shows_the_file_of_the_line(tmp_path: Path) -> None:
    write(tmp_path, DESK)
    mapping = load(write(tmp_path, OWN, "own.yaml"))

    base = unmapped_of(read_by(mapping, {**CHANGE, "status": 4}))
    own = unmapped_of(read_by(mapping, {**CHANGE, "team": "second line"}))

    assert (base.file, base.line) == (str(tmp_path / "desk.yaml"), 10)
    assert (own.file, own.line) == (str(tmp_path / "own.yaml"), 8)


def test_problems_of_an_extended_file_name_that_file(tmp_path: Path) -> None:
    write(tmp_path, DESK.replace('"1": open', '"1": opened'))
    own = write(tmp_path, OWN, "own.yaml")

    (problem,) = check(own).problems

    assert str(problem).startswith(f"{tmp_path / 'desk.yaml'}:3: ")


def test_a_field_is_removed_and_a_key_of_common_is_replaced(tmp_path: Path) -> None:
    write(tmp_path, DESK)
    own = 'extends: desk.yaml\nfields: {team: null}\ncommon: {id: "{change}/{kind}"}\n'

    (event,) = events_of(read_by(load(write(tmp_path, own, "own.yaml")), CHANGE))

    assert (event["fields"], event["id"]) == ({"status": "open"}, "c1/change")


def test_mappings_may_extend_in_several_steps_but_not_in_a_circle(tmp_path: Path) -> None:
    write(tmp_path, DESK)
    write(tmp_path, OWN, "own.yaml")
    third = load(write(tmp_path, 'extends: own.yaml\ntables: {status: {"4": closed}}\n', "third.yaml"))
    write(tmp_path, DESK + "extends: own.yaml\n")

    (event,) = events_of(read_by(third, {**CHANGE, "status": 4, "team": None}))
    assert event["fields"] == {"status": "closed"}
    assert "extends this mapping itself" in str(check(tmp_path / "own.yaml").problems[0])


def test_a_mapping_extends_a_shipped_one_by_its_name(tmp_path: Path) -> None:
    mapping = load(write(tmp_path, "extends: rt\nsource: it\ntables: {status: {waiting: on_hold}}\n"))
    status = {"type": "Status", "new": "waiting", "transaction": 9, "ticket": 4, "created": AT, "creator": {"system": True}}

    (event,) = events_of(read_by(mapping, status))

    assert (event["ticket"], event["fields"]) == ("it/4", {"status": "on_hold"})


@pytest.mark.parametrize(
    ("old", "new", "warning"),
    [
        ("tables:\n", "tables:\n  statuses: {a: open}\n", "3: warning: the table `statuses` is not used by any value"),
        ('team: "{team}"', 'team: "{owner.email}"', "`team` reads `owner.email`, which may name a person"),
        (
            'team: "{team}"',
            'team: [{when: a, is: "{requester.name}"}]',
            "`team` reads `requester.name`, which may name a person",
        ),
        ('team: "{team}"', 'team: "{ticket.subject}"', "may be free text"),
        ("events:\n", "events:\n  - skip: nothing is mapped\n", "no rule from here on is ever tried"),
        ('ticket: "{id}"', "ticket: id", "5: warning: `ticket` is the same for every payload: write a path in braces"),
        ('team: "{team}"', "team: group.name", '10: warning: `team` is the text `group.name`: write "{group.name}" for'),
        ("events:\n", "fields: {contract: [{when: a, is: b.c}]}\nevents:\n", "`contract` is the text `b.c`"),
    ],
)
def test_what_is_allowed_and_likely_wrong_is_a_warning(tmp_path: Path, old: str, new: str, warning: str) -> None:
    path = write(tmp_path, DESK.replace(old, new))

    checked = check(path)

    assert checked.mapping is not None
    (problem,) = checked.problems
    assert warning in str(problem)


def test_a_name_that_is_looked_up_in_a_table_is_no_personal_data(tmp_path: Path) -> None:
    text = DESK.replace('team: "{team}"', 'team: {from: "{owner.email}", table: status}').replace('"1": open', '"1": open')

    assert problems_of(tmp_path, text) == []


SHOWN = """\
source: desk
tables: {team: {first line: L1}}
common: {ticket: "{id}", at: "{at}", id: "{change}"}
fields: {contract: "{custom.contract}", team: {from: "{team}", table: team, else: same}}
events:
  - when: kind == 'comment'
    say: {type: comment.added, public: true}
  - when: kind == 'change'
    say: {type: ticket.changed, fields: {status: "{status}"}}
  - when: kind == 'merge'
    say: {type: ticket.merged, into: 8}
"""


def test_the_fields_of_a_mapping_are_an_event_of_their_own(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, SHOWN)
    gold = {"kind": "comment", "id": 7, "at": AT, "change": "c1", "team": "first line", "custom": {"contract": "gold"}}

    comment, shown = events_of(read_by(mapping, gold))

    assert "fields" not in comment
    assert (shown["type"], shown["ticket"], shown["at"]) == ("ticket.changed", "desk/7", AT)
    assert shown["fields"] == {"contract": "gold", "team": "L1"}
    again, other = (events_of(read_by(mapping, gold | new))[1]["id"] for new in ({"change": "c2"}, {"team": "other"}))
    assert (again == shown["id"], other == shown["id"]) == (True, False), "one id for the same values at the same time"


def test_the_event_of_fields_follows_a_change_without_a_field_and_needs_a_value(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, SHOWN)
    change = {"kind": "change", "id": 7, "at": AT, "change": "c1"}

    assert [event["fields"] for event in events_of(read_by(mapping, {**change, "team": "x"}))] == [{"team": "x"}]
    assert read_by(mapping, change).skipped == "it changes no field of the mapping"


def test_a_ticket_that_ends_has_no_event_of_fields(tmp_path: Path) -> None:
    merge = {"kind": "merge", "id": 7, "at": AT, "change": "c1", "team": "x"}

    assert [event["type"] for event in events_of(read_by(mapping_of(tmp_path, SHOWN), merge))] == ["ticket.merged"]


def test_fields_that_are_not_valid_are_unmapped_with_their_line(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, SHOWN.replace("fields: {contract", 'fields: {status: "{state}", contract'))

    unmapped = unmapped_of(read_by(mapping, {"kind": "comment", "id": 7, "at": AT, "change": "c1", "state": "odd"}))

    assert "`fields` is not valid: 'odd' is not a status" in unmapped.reason
    assert (unmapped.line, unmapped.path) == (4, "state")


def test_of_a_list_each_ticket_has_its_own_fields_at_its_newest_event(tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path,
        """\
        source: hub
        common: {ticket: "{item.id}", at: {from: "{item.at}", time: s}, id: "{item.event}"}
        fields: {contract: "{item.contract}"}
        events: [{each: doc, say: {type: comment.added, public: true}}]
        """,
    )
    batch = [
        {"id": 1, "at": 20, "event": "a", "contract": "gold"},
        {"id": 1, "at": 10, "event": "b", "contract": "silver"},
        {"id": 2, "at": 10, "event": "c", "contract": "iron"},
    ]

    shown = [event for event in events_of(read_by(mapping, batch)) if event["type"] == "ticket.changed"]

    assert [(event["ticket"], event["at"], event["fields"]["contract"]) for event in shown] == [
        ("hub/2", "1970-01-01T00:00:10Z", "iron"),
        ("hub/1", "1970-01-01T00:00:20Z", "gold"),
    ]


def test_a_table_may_pass_on_what_it_lacks_and_an_extending_mapping_adds_the_rows(tmp_path: Path) -> None:
    write(tmp_path, DESK.replace('team: "{team}"', 'team: {from: "{team}", table: team, else: same}'))
    own = load(write(tmp_path, "extends: desk.yaml\ntables: {team: {first line: L1}}\n", "own.yaml"))

    values = [events_of(read_by(own, {**CHANGE, "team": team}))[0]["fields"].get("team") for team in ("first line", "x", None)]

    assert values == ["L1", "x", None]


@pytest.mark.parametrize("team", ["\ud800", {"name": "x"}, 10**40])
def test_a_value_of_fields_that_no_event_can_have_is_unmapped(tmp_path: Path, team: object) -> None:
    mapping = mapping_of(tmp_path, SHOWN)

    assert unmapped_of(read_by(mapping, {"kind": "comment", "id": 7, "at": AT, "change": "c1", "team": team})).line == 4
