"""Every documented exit code is that of a real run, and nothing that stops a command leaves a traceback."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from stream.cli import exit_codes
from stream.cli.main import main
from stream.demo import command as demo
from stream.language.policies import shipped

if TYPE_CHECKING:
    from collections.abc import Iterator

BREACHWATCH = [sys.executable, "-m", "stream"]
EVENT = {
    "type": "ticket.created",
    "id": "1",
    "source": "desk",
    "ticket": "desk/1",
    "at": "2026-03-02T10:00:00Z",
    "actor": {"kind": "customer"},
    "fields": {"priority": "p1"},
}


def feed(folder: Path, count: int) -> Path:
    file = folder / "events.jsonl"
    lines = [json.dumps(EVENT | {"id": str(number), "ticket": f"desk/{number}"}) for number in range(count)]
    file.write_text("\n".join(lines), "utf-8")
    return file


def run(*arguments: str, folder: Path, shell: str = "") -> subprocess.CompletedProcess[str]:
    """``shell``: what follows the command in a shell."""
    command = " ".join([*BREACHWATCH, *arguments, shell])
    return subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def stopped_in_the_middle(number: signal.Signals, *arguments: str, folder: Path) -> tuple[int, str]:
    """Send a signal to a command once it has written something, and return its exit code and its standard error."""
    with subprocess.Popen([*BREACHWATCH, *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        process.send_signal(number)  # the pipe is full long before the command is done
        _, errors = process.communicate(timeout=60)
    return process.returncode, errors.decode()


def test_success_is_0(tmp_path: Path) -> None:
    assert run("check", "starter", folder=tmp_path).returncode == 0


def test_a_file_with_errors_is_1(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("policies: 1", "utf-8")

    assert run("check", "wrong.yaml", folder=tmp_path).returncode == exit_codes.FAILED


def test_a_wrong_command_line_is_2(tmp_path: Path) -> None:
    assert run("replay", "--no-such-option", folder=tmp_path).returncode == exit_codes.WRONG


def test_a_worker_without_settings_is_2(tmp_path: Path) -> None:
    assert run("worker", folder=tmp_path).returncode == exit_codes.WRONG


def test_a_difference_is_3(tmp_path: Path) -> None:
    text = shipped("starter").read_text("utf-8")
    (tmp_path / "new.yaml").write_text(text.replace("p1: 1bh", "p1: 2bh"), "utf-8")

    assert run("diff", "starter", "new.yaml", folder=tmp_path).returncode == exit_codes.DIFFERENT


def test_a_withdrawn_policy_is_a_problem_of_the_step_with_strict(tmp_path: Path) -> None:
    assert run("diff", "starter", "batoi", "--strict", folder=tmp_path).returncode == exit_codes.REFUSED


def test_a_bug_is_70_and_has_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr("stream.cli.check.check", broken)
    result = CliRunner().invoke(main, ["check", "starter"])

    assert result.exit_code == exit_codes.BUG
    assert "Traceback" in result.stderr
    assert "This is a bug in breachwatch" in result.stderr


@pytest.mark.parametrize(
    ("number", "code", "name"),
    [
        (signal.SIGINT, exit_codes.INTERRUPTED, "Ctrl-C"),
        (signal.SIGTERM, exit_codes.TERMINATED, "SIGTERM"),
    ],
)
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_signal_in_the_middle_reports_what_was_done(
    number: signal.Signals, code: int, name: str, jobs: str, tmp_path: Path
) -> None:
    feed(tmp_path, 6_000)
    arguments = ("replay", "events.jsonl", "--policies", "starter", "--jobs", jobs)
    returned, errors = stopped_in_the_middle(number, *arguments, folder=tmp_path)

    assert returned == code
    assert re.search(rf"stopped by {name}: the output has \d+ effects, up to line \d+ of events.jsonl", errors)
    assert "Traceback" not in errors


def test_a_signal_before_any_output_is_reported_too(tmp_path: Path) -> None:
    mapping = Path(__file__).parents[2] / "stream/sources/mappings/volvo.yaml"
    command = [*BREACHWATCH, "import", "-", "--mapping", str(mapping)]
    with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        for _ in range(64):
            process.stdin.write(b"x" * 16_384)  # more than a pipe holds: it reads already
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)

    assert process.returncode == exit_codes.INTERRUPTED
    assert "stopped by Ctrl-C: 0 lines of - read, and nothing written" in errors.decode()


def test_a_reader_that_ends_first_is_141_without_a_word(tmp_path: Path) -> None:
    feed(tmp_path, 2_000)
    done = run("replay", "events.jsonl", "--policies", "starter", folder=tmp_path, shell='| head -1; echo "${PIPESTATUS[0]}"')

    assert done.stdout.splitlines()[-1] == str(exit_codes.NO_READER)
    assert done.stderr == ""


@pytest.mark.parametrize("arguments", ["--help", "--version", "check starter", "policies show batoi", "help exit-codes"])
def test_no_command_minds_a_closed_output(arguments: str, tmp_path: Path) -> None:
    gone = run(arguments, folder=tmp_path, shell="| true")
    closed = run(arguments, folder=tmp_path, shell=">&-")

    assert (gone.stderr, closed.stderr) == ("", "")


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    done = run("policies", "show", "batoi", folder=tmp_path, shell=">/dev/full")

    assert (done.returncode, done.stderr) == (exit_codes.FAILED, "Error: No space left on device\n")


def test_the_demo_has_the_code_of_all_commands() -> None:
    assert demo._INTERRUPTED == exit_codes.INTERRUPTED


def test_the_codes_are_shown_by_the_command_and_on_the_page() -> None:
    shown = CliRunner().invoke(main, ["help", "exit-codes"]).output
    page = (Path(__file__).parents[2] / "docs/reference/cli.md").read_text("utf-8")

    assert [int(code) for code in re.findall(r"^(\d+)\s", shown, re.MULTILINE)] == list(exit_codes.MEANINGS)
    for code, meaning in exit_codes.MEANINGS.items():
        assert f"| {code} | {meaning} |" in page


@pytest.mark.parametrize(
    ("arguments", "file"),
    [
        ("check -", "stream/policies/starter.yaml"),
        ("test - --policies tests/stories/policies", "tests/stories/answers.yaml"),
        ("diff - starter", "stream/policies/starter.yaml"),
        ("calendar open --at 2026-03-02 --policies -", "stream/policies/starter.yaml"),
        ("replay tests/feeds/chatwoot/events.jsonl --policies - --jobs 2", "stream/policies/starter.yaml"),
        ("feed check -", "stream/feeds/mappings/rt.yaml"),
        ("feed try - tests/feeds/rt/payloads/012-status.json", "stream/feeds/mappings/rt.yaml"),
        ("feed try rt -", "tests/feeds/rt/payloads/012-status.json"),
    ],
)
def test_a_file_may_be_standard_input(arguments: str, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    monkeypatch.chdir(root)
    result = CliRunner().invoke(main, arguments.split(), input=(root / file).read_bytes())

    assert result.exit_code == 0, result.output


def test_a_file_is_standard_input_once() -> None:
    for arguments in ("replay - --policies -", "import - --mapping -"):
        result = CliRunner().invoke(main, arguments.split(), input=b"")
        assert (result.exit_code, "cannot both be standard input" in result.output) == (exit_codes.WRONG, True)


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00\xff", gzip.compress(b"{}" * 999, mtime=0)[:20], b"\xff\xfe\x00a", b"[]", b"null\n"],
    ids=["empty", "binary", "cut gzip", "UTF-16", "list", "null"],
)
@pytest.mark.parametrize(
    "arguments",
    [
        "check FILE",
        "test FILE",
        "calendar open --at 2026-03-02 --policies FILE",
        "diff FILE starter",
        "feed check FILE",
        "feed try zendesk FILE",
        "feed try FILE FILE",
        "import FILE --mapping FILE",
        "replay FILE --policies starter",
        "replay - --policies FILE",
        "replay - --deployments FILE",
        "explain desk/1 --events FILE --policies starter",
        "notify check FILE",
        "notify try FILE FILE",
        "writeback check FILE",
        "worker --config FILE",
        "gateway --config FILE",
        "pull --config FILE",
        "watch --config FILE --broker 127.0.0.1:1",
    ],
)
def test_no_file_causes_a_bug(arguments: str, content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    file.write_bytes(content)
    result = CliRunner().invoke(main, arguments.replace("FILE", os.fspath(file)).split(), input=b"")

    assert result.exit_code in (0, exit_codes.FAILED, exit_codes.WRONG)
    assert "Traceback" not in result.output


def _helps(command: click.Command, name: str = "") -> Iterator[tuple[str, str]]:
    """The name and the help of each command."""
    yield name, command.help or ""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            assert found is not None
            yield from _helps(found, f"{name} {each}".lstrip())


@pytest.mark.parametrize("code", [exit_codes.DIFFERENT, exit_codes.REFUSED])
def test_the_table_names_each_command_with_a_meaning_of_its_own_for_a_code(code: int) -> None:
    stated = re.compile(rf"\b{code}(?: if|:)")
    naming = [name for name, text in _helps(main) if "xit status" in text and stated.search(" ".join(text.split()))]

    assert naming or code == exit_codes.REFUSED
    assert [name for name in naming if f"`{name}`" not in exit_codes.MEANINGS[code]] == []
