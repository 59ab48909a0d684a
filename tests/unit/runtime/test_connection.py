"""Encryption and login: every client uses them, they are checked together, and no output has a secret."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaProducer
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from stream.runtime.kafka.connection import client_options, faust_credentials, from_environment
from stream.runtime.settings import SettingsError
from stream.runtime.settings_sources import load

if TYPE_CHECKING:
    from pathlib import Path

_LOGIN = {"sasl_mechanism": "SCRAM-SHA-512", "sasl_username": "desk", "sasl_password": "s3cret"}


def _problems(**flags: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load({"policies": "batoi", **flags}, {})
    return caught.value.problems


@pytest.mark.parametrize(
    ("flags", "protocol"),
    [({}, "PLAINTEXT"), ({"tls": "yes"}, "SSL"), (_LOGIN, "SASL_PLAINTEXT"), ({"tls": "yes", **_LOGIN}, "SASL_SSL")],
)
def test_every_client_connects_in_the_same_way(flags: dict[str, str], protocol: str) -> None:
    settings = load({"policies": "batoi", **flags}, {})
    options = client_options(settings)
    faust = credentials_to_aiokafka_auth(faust_credentials(settings))

    assert options["security_protocol"] == faust["security_protocol"] == protocol
    for name in ("sasl_mechanism", "sasl_plain_username", "sasl_plain_password"):
        assert options.get(name) == faust.get(name)
    assert isinstance(options.get("ssl_context"), ssl.SSLContext) == ("tls" in flags)

    async def is_accepted() -> None:
        await AIOKafkaProducer(**options).stop()

    asyncio.run(is_accepted())


def test_a_command_without_settings_uses_the_login_of_the_environment() -> None:
    variables = {f"BREACHWATCH_{name.upper()}": value for name, value in _LOGIN.items()}

    options = from_environment("kafka:9092", {**variables, "BREACHWATCH_GRACE": "nonsense"})

    assert options["bootstrap_servers"] == ["kafka:9092"]
    assert options["sasl_plain_username"] == "desk"


def test_all_conflicts_between_settings_are_listed_at_once(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.touch()

    assert _problems(ssl_cafile=str(file), sasl_password="s3cret") == [
        "ssl_cafile is set, but connections are not encrypted: set --tls yes, or omit ssl_cafile",
        "a login to the brokers needs sasl_mechanism, sasl_username and sasl_password; missing: sasl_mechanism, sasl_username",
    ]
    assert _problems(tls="yes", ssl_keyfile=f"{file}.not") == [
        f"ssl_keyfile: the file {file}.not does not exist",
        "ssl_keyfile is set without ssl_certfile, the certificate to which the key belongs",
    ]
    assert "GSSAPI" in _problems(sasl_mechanism="GSSAPI")[0]


def test_a_file_without_a_certificate_raises_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("?", "utf-8")
    settings = load({"policies": "batoi", "tls": "yes", "ssl_cafile": str(tmp_path / "ca.pem")}, {})

    with pytest.raises(OSError, match="certificate"):
        client_options(settings)


def test_no_text_shows_the_password() -> None:
    settings = load({"policies": "batoi", **_LOGIN}, {})

    assert "s3cret" not in repr(settings)
    assert "s3cret" not in repr(faust_credentials(settings))
    assert not any("s3cret" in problem for problem in _problems(sasl_password="s3cret", sasl_mechanism="moon"))
