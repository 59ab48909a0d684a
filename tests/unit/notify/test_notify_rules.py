"""The rules of ``breachwatch notify``: what is read, what is refused and with which line, and where an effect goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from stream.cli.main import main
from stream.notify.routing import Routed, route
from stream.notify.rules import USUAL_KINDS, USUAL_STORM, Rules, Storm
from stream.notify.rules_reader import RulesError, read_rules
from stream.sla.effects import Kind
from tests.effects import effect_of

if TYPE_CHECKING:
    from pathlib import Path

RULES = """\
ticket_url: https://desk.example.com/tickets/{number}
zone: Asia/Kolkata
roles: roles.yaml
destinations:
  support:
    apprise: env:SUPPORT_URL
    storm: {more_than: 10, within: 2m}
  desk:
    webhook: https://desk.example.com/hooks/sla
    secrets: [env:NEW_SECRET, file:/run/secrets/old]
routes:
  - when: {type: commitment.breached, priority: [p1, 2], customer: acme, field: {tags: vip}}
    to: [support, desk]
    late: yes
  - when: {type: escalation.*}
    to: desk
    to_roles: yes
    last: yes
  - to: support
"""
ROLES = """\
destinations:
  lead-first-line: {apprise: "env:LEAD"}
  any-lead: {apprise: "file:/run/secrets/lead"}
roles:
  - {role: team-lead, team: first-line, to: lead-first-line}
  - {role: team-lead, to: any-lead}
"""


def read(folder: Path, rules: str = RULES, roles: str | None = ROLES) -> Rules:
    (folder / "notify.yaml").write_text(rules, "utf-8")
    if roles is not None:
        (folder / "roles.yaml").write_text(roles, "utf-8")
    return read_rules(folder / "notify.yaml").rules


def problems(folder: Path, rules: str, roles: str | None = ROLES) -> str:
    with pytest.raises(RulesError) as error:
        read(folder, rules, roles)
    return str(error.value)


def test_rules_are_read_with_their_defaults(tmp_path: Path) -> None:
    rules = read(tmp_path)

    assert rules.destinations["support"].storm == Storm(10, 120_000_000)
    assert rules.destinations["desk"].storm is None, "programs need no grouping"
    assert rules.destinations["any-lead"].storm == USUAL_STORM
    assert rules.destinations["desk"].secrets == ("env:NEW_SECRET", "file:/run/secrets/old")
    assert rules.routes[2].match.kinds == USUAL_KINDS
    assert rules.zone is not None
    assert rules.zone.key == "Asia/Kolkata"


def test_an_effect_goes_to_each_destination_of_its_routes_once(tmp_path: Path) -> None:
    rules = read(tmp_path)
    fields = {"priority": "2", "customer": "acme", "tags": ["vip", "vpn"]}

    assert route(rules, effect_of(Kind.BREACHED, fields=fields)).destinations == ("support", "desk")
    assert route(rules, effect_of(Kind.BREACHED)).destinations == ("support",)
    assert route(rules, effect_of(Kind.MET)).destinations == ()


def test_what_corrects_the_past_is_sent_only_where_a_route_asks_for_it(tmp_path: Path) -> None:
    rules = read(tmp_path)
    fields: dict[str, Any] = {"priority": "p1", "customer": "acme", "tags": "vip"}

    assert route(rules, effect_of(Kind.BREACHED, late=True)).destinations == ()
    assert route(rules, effect_of(Kind.BREACHED, late=True, fields=fields)).destinations == ("support", "desk")


def test_what_is_provisional_is_sent_unless_a_route_waits_for_the_confirmation(tmp_path: Path) -> None:
    rules = read(tmp_path, RULES.replace("  - to: support", "  - {to: support, provisional: no}"))

    assert route(rules, effect_of(Kind.BREACHED, provisional=True)).destinations == ()
    assert route(rules, effect_of(Kind.BREACHED)).destinations == ("support",)
    assert route(rules, effect_of(Kind.RAISED, provisional=True)).destinations == ("desk",)


def test_a_role_is_held_by_the_first_row_that_matches_the_ticket(tmp_path: Path) -> None:
    rules = read(tmp_path)

    def of(team: str, *roles: str) -> Routed:
        return route(rules, effect_of(Kind.RAISED, notify=roles, fields={"team": team}))

    assert of("first-line", "team-lead").destinations == ("desk", "lead-first-line")
    assert of("network", "team-lead").destinations == ("desk", "any-lead")
    assert of("network", "manager").unheld == ("manager",)
    assert of("network", "manager").destinations == ("desk",), "the last route: the third is not reached"


@pytest.mark.parametrize(
    ("old", "new", "line", "text"),
    [
        ("apprise: env:SUPPORT_URL", "apprise: slack://a/b/c", 6, "must be env:NAME or file:PATH"),
        ("apprise: env:SUPPORT_URL", "webhook: https://x.example", 5, "a webhook needs `secrets`"),
        ("    secrets: [env:NEW_SECRET", "    secrets: [whsec_abc", 10, "must be env:NAME or file:PATH"),
        ("webhook: https://desk", "webhook: ftp://desk", 9, "must be an address"),
        ("within: 2m", "within: soon", 7, "length of time"),
        ("to: [support, desk]", "to: [suport, desk]", 13, "did you mean `support`"),
        ("commitment.breached", "commitment.breachd", 12, "did you mean `commitment.breached`"),
        ("commitment.breached", "commitment.breach_retracted", 12, "needs no route"),
        ("customer: acme", "costumer: acme", 12, "did you mean `customer`"),
        ("{number}", "{nr}", 1, "must be an address with {ticket}"),
        ("Asia/Kolkata", "Asia/Nowhere", 2, "IANA time zone"),
        ("roles: roles.yaml\n", "", 11, "to_roles"),
        ("  - to: support", "  - {late: yes}", 19, "a route needs `to`"),
    ],
)
def test_a_wrong_file_is_refused_with_the_line_and_what_is_right(
    tmp_path: Path, old: str, new: str, line: int, text: str
) -> None:
    found = problems(tmp_path, RULES.replace(old, new, 1))

    assert text in found
    if old != "roles: roles.yaml\n":
        assert f"notify.yaml:{line}:" in found


def test_every_problem_of_both_files_is_listed(tmp_path: Path) -> None:
    found = problems(tmp_path, RULES.replace("2m", "soon"), ROLES.replace("role: team-lead, to", "role: a@b.example, to"))

    assert "notify.yaml:7:" in found
    assert "roles.yaml:6:" in found
    assert "not an address" in found


def test_a_missing_file_of_roles_is_named(tmp_path: Path) -> None:
    assert "roles.yaml: cannot be read" in problems(tmp_path, RULES, roles=None)


def test_the_text_of_a_problem_never_has_a_secret(tmp_path: Path) -> None:
    for secret in ("slack://Token/Secret", "whsec_c2VjcmV0"):
        found = problems(tmp_path, RULES.replace("env:SUPPORT_URL", secret).replace("env:NEW_SECRET", secret))
        assert secret not in found


def test_quiet_days_must_leave_a_day(tmp_path: Path) -> None:
    quiet = "    quiet: {days: [mon, tue, wed, thu, fri, sat, sun], zone: UTC}\n  desk:"

    assert "nothing is ever sent" in problems(tmp_path, RULES.replace("  desk:", quiet, 1))


def test_a_destination_that_nothing_leads_to_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "roles.yaml").write_text(ROLES, "utf-8")
    file = tmp_path / "notify.yaml"
    file.write_text(RULES.replace("  desk:", "  spare: {apprise: 'env:SPARE'}\n  desk:", 1), "utf-8")

    result = CliRunner().invoke(main, ["notify", "check", str(file)])

    assert result.exit_code == 0
    assert "notify.yaml:8: destinations.spare: warning: no route" in result.output
    assert "5 destinations, 3 routes, 2 roles" in result.output


def test_check_with_secrets_names_each_that_is_missing_or_not_usable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read(tmp_path)
    monkeypatch.setenv("SUPPORT_URL", "nonsense://secret-part")
    monkeypatch.setenv("NEW_SECRET", "whsec_!!")
    monkeypatch.setenv("LEAD", "json://127.0.0.1:1/")

    result = CliRunner().invoke(main, ["notify", "check", str(tmp_path / "notify.yaml"), "--secrets"])

    assert result.exit_code == 1
    assert "destination support: Apprise does not understand a URL of the kind nonsense://" in result.output
    assert "destination desk: env:NEW_SECRET: what follows whsec_ is not base64" in result.output
    assert "destination any-lead: file:/run/secrets/lead: the file cannot be read" in result.output
    assert "secret-part" not in result.output
