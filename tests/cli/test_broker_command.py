"""The commands ``broker`` and ``topics`` as a person runs them, without a running broker."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from stream.cli.main import main
from stream.devkafka.jars import provide
from stream.devkafka.ports import free_port, is_free

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.broker
@pytest.mark.parametrize("expiration", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_its_address_and_ends_with_status_0_on_a_signal(tmp_path: Path, expiration: signal.Signals) -> None:
    provide(print)  # Else the first start would report what it fetches.
    port = free_port()
    command = [sys.executable, "-m", "stream", "broker", "--port", str(port), "--data", str(tmp_path / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        first = running.stdout.readline()
        assert first.startswith(f"Kafka serves on 127.0.0.1:{port}; log: {tmp_path}")

        running.send_signal(expiration)
        rest, errors = running.communicate(timeout=60)

    assert rest == f"Kafka on 127.0.0.1:{port} has stopped; its data is kept in {tmp_path / 'data'}.\n"
    assert (running.returncode, errors) == (0, "")
    assert is_free(port)


def test_a_taken_port_is_an_error_with_advice() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        result = CliRunner().invoke(main, ["broker", "--port", str(port)])

    assert result.exit_code == 1
    assert f"port {port} on 127.0.0.1 is in use: stop the process that listens there or use another port" in result.output


def test_topics_on_an_absent_broker_is_an_error_with_advice() -> None:
    port = free_port()

    result = CliRunner().invoke(main, ["topics", "check", "--broker", f"127.0.0.1:{port}"])

    assert result.exit_code == 1
    assert f"Kafka at 127.0.0.1:{port}" in result.output
    assert "`breachwatch broker` starts one" in result.output


def test_an_invalid_retention_is_an_error_with_examples() -> None:
    result = CliRunner().invoke(main, ["topics", "create", "--retention", "a while"])

    assert result.exit_code == 2
    assert "use 90m, 36h, 30d or forever" in result.output
