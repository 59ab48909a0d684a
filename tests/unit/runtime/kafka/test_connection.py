"""Encryption and login: every client uses them, they are checked together, and no output has a secret."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
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
_TOKENS = {
    "sasl_mechanism": "OAUTHBEARER",
    "sasl_oauth_token_url": "https://login.example/token",
    "sasl_oauth_client_id": "desk",
    "sasl_oauth_client_secret": "s3cret",
}


def _problems(**flags: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load({"policies": "batoi", **flags}, {})
    return caught.value.problems


@pytest.mark.parametrize(
    ("flags", "protocol"),
    [
        ({}, "PLAINTEXT"),
        ({"tls": "yes"}, "SSL"),
        (_LOGIN, "SASL_PLAINTEXT"),
        ({"tls": "yes", **_LOGIN}, "SASL_SSL"),
        (_TOKENS, "SASL_PLAINTEXT"),
        ({"tls": "yes", **_TOKENS}, "SASL_SSL"),
    ],
)
def test_every_client_connects_in_the_same_way(flags: dict[str, str], protocol: str) -> None:
    settings = load({"policies": "batoi", **flags}, {})
    options = client_options(settings)
    faust = credentials_to_aiokafka_auth(faust_credentials(settings))

    assert options["security_protocol"] == faust["security_protocol"] == protocol
    for name in ("sasl_mechanism", "sasl_plain_username", "sasl_plain_password", "sasl_oauth_token_provider"):
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


def test_conflicts_between_the_ways_to_log_in_are_listed() -> None:
    assert _problems(sasl_mechanism="OAUTHBEARER", sasl_username="desk") == [
        "OAUTHBEARER logs in with a token: omit sasl_username",
        (
            "the login by OAUTHBEARER needs sasl_oauth_token_url, sasl_oauth_client_id and sasl_oauth_client_secret, or "
            "sasl_oauth_token_file; missing: sasl_oauth_token_url, sasl_oauth_client_id, sasl_oauth_client_secret"
        ),
    ]
    assert _problems(**_TOKENS, sasl_oauth_token_file="token") == [
        (
            "sasl_oauth_token_file is used instead of a token endpoint: omit it, or "
            "sasl_oauth_token_url, sasl_oauth_client_id, sasl_oauth_client_secret"
        )
    ]
    assert _problems(**_LOGIN, sasl_oauth_scope="kafka") == [
        "sasl_oauth_scope is set, but sasl_mechanism is not OAUTHBEARER: set it, or omit sasl_oauth_scope"
    ]
    assert _problems(**_TOKENS, sasl_oauth_cafile="nowhere.pem") == ["sasl_oauth_cafile: the file nowhere.pem does not exist"]


@pytest.mark.parametrize("value", ["logicalCluster", "auth=x", "a-b=c", "a=\x01auth"])
def test_an_extension_that_would_change_the_login_is_refused(value: str) -> None:
    (problem,) = _problems(**_TOKENS, sasl_oauth_extensions=value)

    assert problem.startswith("--sasl-oauth-extensions: ")


@pytest.mark.parametrize("url", ["login.example/token", "https://desk:s3cret@login.example/token", "ftp://login.example"])
def test_a_token_endpoint_without_a_valid_address_is_refused_without_showing_it(url: str) -> None:
    (problem,) = _problems(**{**_TOKENS, "sasl_oauth_token_url": url})

    assert problem == "--sasl-oauth-token-url: it is not a valid address: use https://host/path, without a name or password"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate, with its key in ``key.pem`` beside it, which is encrypted with ``s3cret``."""
    folder = tmp_path_factory.mktemp("keys")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-passout", "pass:s3cret", "-days", "2", "-subj", "/CN=desk"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return folder / "cert.pem"


def _client_certificate(certificate: Path, **more: str) -> dict[str, str]:
    files = {"ssl_certfile": str(certificate), "ssl_keyfile": str(certificate.parent / "key.pem")}
    return {"policies": "batoi", "tls": "yes", **files, **more}


def test_an_encrypted_key_is_opened_with_its_password(certificate: Path, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret\n", "utf-8")
    settings = load(_client_certificate(certificate), {"BREACHWATCH_SSL_KEY_PASSWORD_FILE": str(tmp_path / "password")})

    assert isinstance(client_options(settings)["ssl_context"], ssl.SSLContext)
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    ("given", "what"), [({}, "set BREACHWATCH_SSL_KEY_PASSWORD"), ({"ssl_key_password": "wr0ng"}, "is not its password")]
)
def test_an_encrypted_key_without_its_password_is_an_error_that_does_not_ask(
    certificate: Path, given: dict[str, str], what: str
) -> None:
    with pytest.raises(OSError, match=what) as caught:
        client_options(load(_client_certificate(certificate, **given), {}))
    assert "is encrypted" in str(caught.value)
    assert "wr0ng" not in str(caught.value)


def test_a_file_without_a_certificate_raises_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("?", "utf-8")
    settings = load({"policies": "batoi", "tls": "yes", "ssl_cafile": str(tmp_path / "ca.pem")}, {})

    with pytest.raises(OSError, match="certificate"):
        client_options(settings)


@pytest.mark.parametrize("login", [_LOGIN, _TOKENS])
def test_no_text_shows_a_secret(login: dict[str, str]) -> None:
    settings = load({"policies": "batoi", **login, "token": "s3cret-of-the-pages"}, {})

    assert "s3cret" not in repr(settings)
    assert "s3cret" not in repr(faust_credentials(settings))
    assert not any("s3cret" in problem for problem in _problems(sasl_password="s3cret", sasl_mechanism="moon"))
