"""Processes that serve start before their broker, and wait for it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def no_broker() -> Iterator[str]:
    """An address that refuses every connection, because nobody listens there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{free.getsockname()[1]}"


NOTIFY = """
destinations:
  ops: {apprise: "env:URL"}
routes:
  - to: ops
"""
DESK = """
desk: support
system: redmine
url: http://127.0.0.1:9
login: {key: env:SECRET}
tickets: redmine/{id}
write:
  - {field: SLA breached, value: breached, kind: checkbox}
"""
COMMANDS = {
    "worker": ["worker", "--policies", "batoi", "--metrics-port", "0"],
    "notify": ["notify", "run", "--rules", "notify.yaml", "--listen", "127.0.0.1:0"],
    "writeback": ["writeback", "--desks", "desk.yaml", "--listen", "127.0.0.1:0"],
    "pull --follow": [
        "pull",
        "--feed",
        "desk=redmine",
        "--url",
        "https://127.0.0.1:9",
        "--credentials",
        "env:SECRET",
        "--since",
        "1d",
        "--follow",
    ],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_process_that_starts_before_its_broker_waits_and_stops_on_a_signal(name: str, no_broker: str, tmp_path: Path) -> None:
    lines, status = _waits_and_stops(name, no_broker, tmp_path)

    assert f"no answer from the Kafka broker at {no_broker}" in "".join(lines), lines
    assert status == 0, lines


@pytest.mark.parametrize("name", COMMANDS)
def test_a_process_logs_json_if_the_settings_file_asks_for_it_and_states_its_end(
    name: str, no_broker: str, tmp_path: Path
) -> None:
    (tmp_path / "breachwatch.toml").write_text('log_format = "json"\n', "utf-8")

    lines, _ = _waits_and_stops(name, no_broker, tmp_path)

    messages = [json.loads(line)["message"] for line in lines]
    assert messages[-1].startswith("stopped"), messages


def _waits_and_stops(name: str, no_broker: str, tmp_path: Path) -> tuple[list[str], int]:
    """What the process logs until it has stopped after its first warning, and its exit status."""
    (tmp_path / "notify.yaml").write_text(NOTIFY, "utf-8")
    (tmp_path / "desk.yaml").write_text(DESK, "utf-8")
    command = [sys.executable, "-m", "stream", *COMMANDS[name], "--broker", no_broker]
    environment = os.environ | {"SECRET": "key", "URL": "json://127.0.0.1:9", "PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "next attempt" in line:
                break
        process.send_signal(signal.SIGTERM)
        lines.extend(process.stderr)
    return lines, process.returncode
