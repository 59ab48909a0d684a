"""``breachwatch notify check | try | test`` and the settings of ``run``."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from stream.cli.main import main
from stream.sla.effects import Kind, Reason
from stream.wire.effect import encode_effect
from tests.effects import effect_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RULES = """\
destinations:
  hook: {webhook: "env:HOOK_URL", secrets: env:HOOK_SECRET}
  chat: {apprise: "env:CHAT_URL"}
routes:
  - {when: {type: commitment.breached}, to: [hook, chat]}
  - {when: {type: escalation.*}, to_roles: yes}
roles: roles.yaml
"""
ROLES = "roles: [{role: lead, to: chat}]\n"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    (tmp_path / "roles.yaml").write_text(ROLES, "utf-8")
    file = tmp_path / "notify.yaml"
    file.write_text(RULES, "utf-8")
    return file


@pytest.fixture
def receiver() -> Iterator[HTTPServer]:
    """Accepts everything but what is sent to ``/down``."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(503 if self.path.startswith("/down") else 200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["notify", *map(str, arguments)])


def test_try_prints_what_would_be_sent_to_whom_and_who_is_missing(rules: Path, tmp_path: Path) -> None:
    effects = tmp_path / "effects.jsonl"
    facts = [
        effect_of(Kind.BREACHED, id="a" * 24, commitment="reply"),
        effect_of(Kind.MET, id="b" * 24, ticket="desk/2"),
        effect_of(Kind.RAISED, id="c" * 24, ladder="late", level="two", notify=("lead", "boss")),
        effect_of(Kind.BREACH_RETRACTED, id="d" * 24, retracts="a" * 24, retracts_kind=Kind.BREACHED, reason=Reason.CORRECTED),
    ]
    effects.write_bytes(b"\n".join(map(encode_effect, facts)))

    text = run("try", rules, effects)
    lines = run("try", rules, effects, "--json")

    assert text.exit_code == 0, text.output
    assert "to hook: desk/1: reply breached\n" in text.stdout
    assert "to chat: desk/1: escalation late raised, level two\n" in text.stdout
    assert "to hook: desk/1: not true: commitment breached\n" in text.stdout
    assert "5 messages for 4 effects: 3 to chat, 2 to hook" in text.stderr
    assert "nobody holds the roles: boss (1)" in text.stderr
    assert [json.loads(line)["to"] for line in lines.stdout.splitlines()] == ["hook", "chat", "chat", "hook", "chat"]


def test_try_names_the_line_that_is_not_an_effect(rules: Path, tmp_path: Path) -> None:
    effects = tmp_path / "effects.jsonl"
    effects.write_text("{}\n", "utf-8")

    result = run("try", rules, effects)

    assert result.exit_code == 1
    assert "effects.jsonl:1: not an effect" in result.output


def test_a_sample_is_sent_and_the_answer_reported(rules: Path, receiver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"127.0.0.1:{receiver.server_port}"
    monkeypatch.setenv("HOOK_URL", f"http://{url}/hook")
    monkeypatch.setenv("HOOK_SECRET", "a text of some length")
    monkeypatch.setenv("CHAT_URL", f"json://{url}/down")

    accepted = run("test", "hook", "--rules", rules)
    failed = run("test", "chat", "--rules", rules)
    unknown = run("test", "pager", "--rules", rules)

    assert (accepted.exit_code, failed.exit_code, unknown.exit_code) == (0, 1, 2)
    assert "hook has accepted the message" in accepted.output
    assert "chat did not accept the message" in failed.output
    assert "there are: hook, chat" in unknown.output


def test_run_lists_every_problem_and_ends_with_the_status_that_stops_restarts(rules: Path, tmp_path: Path) -> None:
    config = tmp_path / "breachwatch.toml"
    config.write_text(f'[notify]\nrules = "{rules}"\nbegin = "yesterday"\n', "utf-8")
    wrong = run("run", "--config", config)
    config.write_text(f'[notify]\nrules = "{rules}"\nlisten = "127.0.0.1:0"\ncolour = "red"\n', "utf-8")
    unknown = run("run", "--config", config)
    config.write_text(f'[notify]\nrules = "{rules}"\nlisten = "127.0.0.1:0"\n', "utf-8")
    secrets = run("run", "--config", config)

    assert (wrong.exit_code, unknown.exit_code, secrets.exit_code) == (2, 2, 2)
    assert "begin:" in wrong.output
    assert "notify.colour" in unknown.output
    assert "destination hook: env:HOOK_URL: the variable HOOK_URL is not set" in secrets.output
    assert "destination chat: env:CHAT_URL: the variable CHAT_URL is not set" in secrets.output
