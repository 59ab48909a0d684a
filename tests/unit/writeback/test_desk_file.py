"""The file of a desk: what it may contain, and every problem with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stream.documents.document import DocumentError
from stream.writeback.apis.opening import APIS
from stream.writeback.desk_file import DeskFile, Login, LoginKind, load
from stream.writeback.http import login_headers
from stream.writeback.rule import FieldRule, Form, TagRule, UnlistedError, ValueKind
from stream.writeback.system import SYSTEMS
from stream.writeback.values import Name

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = """\
desk: eu
system: zendesk
url: https://acme.zendesk.example/
login: {basic: {user: bot@acme.example/token, password: env:ZENDESK}}
tickets: zd/{id}
rate: 30
write:
  - {field: 360001, value: due}
  - {field: "360002", value: overdue, kind: checkbox}
  - {field: group_id, value: team, table: {tier 2: 77}}
  - {tag: sla-breached, when: breached}
"""


def read(tmp_path: Path, text: str) -> DeskFile:
    path = tmp_path / "desk.yaml"
    path.write_text(text, "utf-8")
    return load(str(path))[0]


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        read(tmp_path, text)
    return [f"{problem.line}: {problem.where}: {problem.message}" for problem in caught.value.problems]


def test_a_whole_file(tmp_path: Path) -> None:
    desk = read(tmp_path, WHOLE)

    assert (desk.name, desk.url, desk.rate) == ("eu", "https://acme.zendesk.example", 30)
    assert desk.login == Login(LoginKind.BASIC, "env:ZENDESK", "bot@acme.example/token")
    assert desk.rules == (
        FieldRule("360001", Name.DUE),
        FieldRule("360002", Name.OVERDUE, ValueKind.CHECKBOX),
        FieldRule("group_id", Name.TEAM, table={"tier 2": "77"}),
        TagRule("sla-breached", Name.BREACHED),
    )
    assert [desk.id_of(ticket) for ticket in ("zd/12", "zd/", "zd/x", "zd/12/../3", "rt/12", "12")] == ["12"] + [None] * 5


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("system: zendesk", "system: zendesc"), "2: system: must be one of zendesk, jira, rt, redmine, django-helpdesk"),
        (("https://acme.zendesk.example/", "acme"), "3: url: must be an address such as https://desk.example"),
        (("https://acme", "https://me:secret@acme"), "3: url: must have no user, no password"),
        (("env:ZENDESK", "hunter2"), "4: login.basic.password: a secret is given as env:NAME for a variable, or file:PATH"),
        (("basic: {user: bot@acme.example/token, password: env:ZENDESK}", "key: env:A"), "4: login: must have one login that"),
        (("zd/{id}", "zd/"), "5: tickets: must be the name of a ticket with {id}"),
        (("rate: 30", "rate: 0"), "6: rate: must be a whole number of requests a minute, from 1 to 6000"),
        (("value: due}", "value: deu}"), "8: write[0].value: must be one of state, due"),
        (
            ("field: 360001", "field: comment"),
            "8: write[0].field: `comment` is not written: zendesk gets values in",
        ),
        (("value: due}", "value: level, zone: UTC}"), "8: write[0].value: `level` is not a time"),
        (("value: due}", "value: due, form: soon}"), "8: write[0].form: must be iso, date"),
        (("value: due}", "value: due, zone: Mars}"), "8: write[0].zone: "),
        (("kind: checkbox", "kind: box"), "9: write[1].kind: must be one of text, number, option, checkbox"),
        (("kind: checkbox", "kind: number"), "9: write[1].kind: `overdue` is not a number: give a table that has numbers"),
        (("kind: checkbox", "kind: number, table: {yes: one}"), "9: write[1].table: `one` is not a number"),
        (("table: {tier 2: 77}", "table: []"), "10: write[2].table: must be a table of values"),
        (("when: breached", "when: due"), "11: write[3].when: `due` is neither yes nor no"),
        (("tag: sla-breached", "tag: two words"), "11: write[3].tag: must be a word"),
        (('field: "360002"', "field: 360001"), "9: write[1]: 360001 is written twice"),
        (("rate: 30", "tags_field: x"), "6: tags_field: zendesk has no tags in a field"),
        (("rate: 30", "rates: 30"), "6: rates: unknown key, did you mean `rate`?"),
    ],
)
def test_a_problem_has_its_line_and_what_to_do(tmp_path: Path, change: tuple[str, str], problem: str) -> None:
    assert change[0] in WHOLE

    (found,) = problems(tmp_path, WHOLE.replace(*change))

    assert found.startswith(problem)


def test_all_problems_are_listed_at_once(tmp_path: Path) -> None:
    assert (
        len(
            problems(
                tmp_path, WHOLE.replace("zd/{id}", "zd").replace("value: due}", "value: x}").replace("rate: 30", "rate: x")
            )
        )
        == 3
    )


@pytest.mark.parametrize(
    ("system", "login", "field", "refused"),
    [
        ("jira", "{bearer: env:A}", "customfield_10010", ["summary", "description", "comment", "status", "assignee"]),
        ("rt", "{key: env:A}", "SLA due", ["Subject", "Content", "Status", "Owner"]),
        ("redmine", "{key: env:A}", "SLA due", ["notes", "subject", "description", "status_id"]),
        (
            "django-helpdesk",
            "{basic: {user: a, password: env:A}}",
            "custom_due",
            ["title", "description", "status"],
        ),
        ("zendesk", "{bearer: env:A}", "1", ["comment", "subject", "description", "status"]),
    ],
)
def test_no_system_gets_a_public_text_or_a_status(
    tmp_path: Path, system: str, login: str, field: str, refused: list[str]
) -> None:
    head = f"desk: d\nsystem: {system}\nurl: https://desk.example\nlogin: {login}\ntickets: '{{id}}'\nwrite:\n"

    assert read(tmp_path, head + f"  - {{field: {field}, value: due}}\n").rules[0].place == field
    for each in refused:
        (found,) = problems(tmp_path, head + f"  - {{field: {each}, value: due}}\n")
        assert "is not written" in found


def test_tags_go_where_a_system_has_them(tmp_path: Path) -> None:
    head = "desk: d\nsystem: {}\nurl: https://desk.example\nlogin: {{key: env:A}}\ntickets: '{{id}}'\n{}write:\n"
    tag = "  - {tag: late, when: breached}\n"

    assert read(tmp_path, head.format("rt", "tags_field: Flags\n") + tag).tags_field == "Flags"
    assert "name the field that has them with tags_field" in problems(tmp_path, head.format("rt", "") + tag)[0]
    assert "redmine has no tags" in problems(tmp_path, head.format("redmine", "") + tag)[0]


def test_a_login_that_goes_over_the_network_in_clear_is_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "desk.yaml"
    for url, warned in (("http://desk.example", True), ("http://127.0.0.1:8081", False), ("https://desk.example", False)):
        path.write_text(WHOLE.replace("https://acme.zendesk.example/", url), "utf-8")
        assert bool(load(str(path))[1]) is warned


HALF_PAST_NINE = 1_772_443_800_000_000  # 2026-03-02T09:30:00Z


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ("", "2026-03-02T09:30:00Z"),
        (", form: date", "2026-03-02"),
        (", form: unix", "1772443800"),
        (", form: jira, zone: Asia/Kolkata", "2026-03-02T15:00:00.000+0530"),
        (", form: sql, zone: Asia/Kolkata", "2026-03-02 09:30:00"),
        (", form: iso, zone: Asia/Kolkata", "2026-03-02T15:00:00+05:30"),
        (', form: "%d.%m.%Y %H:%M", zone: Asia/Kolkata', "02.03.2026 15:00"),
    ],
)
def test_forms_of_an_instant(tmp_path: Path, options: str, text: str) -> None:
    rule = read(tmp_path, WHOLE.replace("value: due}", f"value: due{options}}}")).rules[0]

    assert rule.wanted({Name.DUE: HALF_PAST_NINE}) == text
    assert rule.wanted({Name.DUE: None}) == ""


def test_each_system_has_the_form_of_its_own_fields(tmp_path: Path) -> None:
    head = "desk: d\nsystem: {}\nurl: https://desk.example\nlogin: {{{}: env:A}}\ntickets: '{{id}}'\n"
    head += "write: [{{field: {}, value: due}}]\n"
    forms = [("jira", "bearer", "customfield_1"), ("jira", "bearer", "duedate"), ("rt", "key", "Due")]
    forms.append(("redmine", "key", "due_date"))
    rules: list[Any] = [read(tmp_path, head.format(*each)).rules[0] for each in forms]

    assert [rule.form for rule in rules] == [Form.JIRA, Form.DATE, Form.SQL, Form.DATE]


def test_a_table_translates_and_does_not_guess(tmp_path: Path) -> None:
    rule = read(tmp_path, WHOLE).rules[2]

    assert (rule.wanted({Name.TEAM: "tier 2"}), rule.wanted({Name.TEAM: ""})) == ("77", "")
    with pytest.raises(UnlistedError, match="the table of group_id does not have the team 'tier 3'"):
        rule.wanted({Name.TEAM: "tier 3"})


def test_every_system_has_an_api_and_a_header_for_its_login_by_key() -> None:
    assert APIS.keys() == SYSTEMS.keys()
    assert all(bool(system.key_header) == ("key" in system.logins) for system in SYSTEMS.values())


@pytest.mark.parametrize(
    ("system", "kind", "headers"),
    [
        ("rt", LoginKind.KEY, {"Authorization": "token 1-ab"}),
        ("redmine", LoginKind.KEY, {"X-Redmine-API-Key": "1-ab"}),
        ("jira", LoginKind.BEARER, {"Authorization": "Bearer 1-ab"}),
        ("zendesk", LoginKind.BASIC, {"Authorization": "Basic Ym90OjEtYWI="}),
    ],
)
def test_a_login_is_a_header_of_its_system(system: str, kind: LoginKind, headers: dict[str, str]) -> None:
    login = Login(kind, "env:SECRET", "bot" if kind is LoginKind.BASIC else "")

    assert login_headers(login, b"1-ab", SYSTEMS[system]) == headers
