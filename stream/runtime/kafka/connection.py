"""The connection options of all Kafka clients: addresses, encryption and login."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiokafka.conn import create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError, SaslAuthenticationFailed, UnsupportedSaslMechanismError
from aiokafka.protocol.metadata import MetadataRequest
from faust.auth import OAuthCredentials, SASLCredentials, SSLCredentials

from stream.runtime.kafka.oauth import TokenError, tokens_of
from stream.runtime.setting_values import OAUTHBEARER
from stream.runtime.settings import ENTRIES, FILE, SECRETS, SECURITY, flag, variable
from stream.runtime.settings_sources import load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.runtime.settings import Settings

_PATIENCE: Final = 10
"""The seconds to wait for a connection when finding out why clients have none."""


def client_options(settings: Settings) -> dict[str, Any]:
    """The arguments of any aiokafka client. Raises OSError if a certificate file is not usable."""
    context = _context(settings)
    protocol = ("SASL_" if settings.sasl_mechanism else "") + ("SSL" if context else "PLAINTEXT")
    options: dict[str, Any] = {"bootstrap_servers": list(settings.broker), "security_protocol": protocol}
    if context:
        options["ssl_context"] = context
    if settings.sasl_mechanism:
        options["sasl_mechanism"] = settings.sasl_mechanism
    if settings.sasl_mechanism == OAUTHBEARER:
        options["sasl_oauth_token_provider"] = tokens_of(settings)
    elif settings.sasl_mechanism:
        options["sasl_plain_username"] = settings.sasl_username
        options["sasl_plain_password"] = settings.sasl_password
    return options


def faust_credentials(settings: Settings) -> Any:
    """The same for Faust; ``None`` if there is neither encryption nor a login."""
    context = _context(settings)
    if settings.sasl_mechanism == OAUTHBEARER:
        return OAuthCredentials(oauth_cb=tokens_of(settings), ssl_context=context)
    if settings.sasl_mechanism:
        return SASLCredentials(
            username=settings.sasl_username,
            password=settings.sasl_password,
            mechanism=settings.sasl_mechanism,
            ssl_context=context,
        )
    return SSLCredentials(context) if context else None


def from_environment(broker: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """``client_options`` for a command whose only setting is the address. The worker's variables have the other options.

    Raises SettingsError, and OSError as ``client_options`` does.
    """
    names = [*map(variable, SECURITY), *(variable(name) + FILE for name in SECRETS if name in SECURITY)]
    known = {name: environment[name] for name in names if name in environment}
    needed = {name: "-" for name, entry in ENTRIES.items() if entry.default is None}
    return client_options(load({**needed, "broker": broker}, known))


class Refusal(NamedTuple):
    """The reason why a client cannot connect."""

    text: str
    final: bool
    """Whether a retry is useless, because the broker refuses the client or has a wrong certificate."""


async def why_not(options: Mapping[str, Any]) -> Refusal:
    """Find out why clients with these options cannot connect, by a connection to the first broker."""
    host, _, port = options["bootstrap_servers"][0].rpartition(":")
    names = {"security_protocol", "ssl_context"} | {name for name in options if name.startswith("sasl_")}
    try:
        async with asyncio.timeout(_PATIENCE):
            connection = await create_conn(host, int(port), **{name: options[name] for name in names & options.keys()})
    except TokenError as error:
        return Refusal(str(error), final=error.final)
    except SaslAuthenticationFailed:
        who = f"{variable('sasl_username')} and {variable('sasl_password')}"
        return Refusal(f"the broker refuses this user name and password: check {who}", final=True)
    except UnsupportedSaslMechanismError:
        text = f"the broker does not support the login by {options['sasl_mechanism']}: check {variable('sasl_mechanism')}"
        return Refusal(text, final=True)
    except ssl.SSLCertVerificationError as error:
        check = f"check {variable('ssl_cafile')}, and that the certificate names the host in {variable('broker')}"
        return Refusal(f"the broker's certificate is not accepted ({error.verify_message}): {check}", final=True)
    except (ConnectionResetError, KafkaConnectionError, ssl.SSLError):
        text = f"the broker closes the connection, perhaps because only one side uses encryption: check {variable('tls')}"
        return Refusal(text, final=False)
    except (OSError, TimeoutError):
        where = f"{flag('broker')}, {variable('broker')}"
        text = f"check the address ({where}), and that the broker is running (`breachwatch broker` starts one)"
        return Refusal(text, final=False)
    if options.get("sasl_mechanism") == OAUTHBEARER and not await _is_served(connection):
        check = "check that its end, audience, scope and issuer are what the broker expects"
        # Another token may be accepted: that of a file is renewed by others, and brokers learn the keys of an issuer late.
        return Refusal(f"the broker refuses the token: {check}", final=False)
    connection.close()
    login = "" if "sasl_mechanism" in options else f", but may require a login: check {variable('sasl_mechanism')}"
    return Refusal(f"the broker accepts connections{login}", final=False)


async def _is_served(connection: Any) -> bool:
    """Whether the broker answers a request. aiokafka takes the refusal of a token for the end of the login.

    Where the login has failed, the broker closes the connection, or answers with the metadata of no broker.
    """
    try:
        async with asyncio.timeout(_PATIENCE):
            return bool((await connection.send(MetadataRequest([]))).brokers)
    except (OSError, KafkaError, TimeoutError):
        return False


def _context(settings: Settings) -> ssl.SSLContext | None:
    if not settings.tls:
        return None
    context = ssl.create_default_context(cafile=settings.ssl_cafile or None)
    if settings.ssl_certfile:
        _load_certificate(context, settings)
    return context


def _load_certificate(context: ssl.SSLContext, settings: Settings) -> None:
    """Raises OSError."""
    asked = []

    def password() -> str:  # called for an encrypted key only; without it OpenSSL would ask on the terminal
        asked.append(True)
        return settings.ssl_key_password

    try:
        context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile or None, password)
    except ssl.SSLError as error:
        if not asked:
            raise
        key = settings.ssl_keyfile or settings.ssl_certfile
        name = variable("ssl_key_password")
        what = f"{name} is not its password" if settings.ssl_key_password else f"set {name}"
        raise OSError(f"the key in {key} is encrypted: {what}") from error
