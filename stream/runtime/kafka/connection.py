"""How clients reach the brokers: addresses, encryption and who they are. One place, for every client there is."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiokafka.conn import create_conn
from aiokafka.errors import KafkaConnectionError, SaslAuthenticationFailed, UnsupportedSaslMechanismError
from faust.auth import SASLCredentials, SSLCredentials

from stream.runtime.settings import ENTRIES, SECURITY, flag, load, variable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.runtime.settings import Settings

_PATIENCE: Final = 10
"""Seconds for a connection, when it is asked why there is none."""


def client_options(settings: Settings) -> dict[str, Any]:
    """Arguments of any aiokafka client. Raises OSError when a certificate file cannot be used."""
    context = _context(settings)
    protocol = ("SASL_" if settings.sasl_mechanism else "") + ("SSL" if context else "PLAINTEXT")
    options: dict[str, Any] = {"bootstrap_servers": list(settings.broker), "security_protocol": protocol}
    if context:
        options["ssl_context"] = context
    if settings.sasl_mechanism:
        options["sasl_mechanism"] = settings.sasl_mechanism
        options["sasl_plain_username"] = settings.sasl_username
        options["sasl_plain_password"] = settings.sasl_password
    return options


def faust_credentials(settings: Settings) -> Any:
    """The same for Faust; ``None``: neither encryption nor a name."""
    context = _context(settings)
    if settings.sasl_mechanism:
        return SASLCredentials(
            username=settings.sasl_username,
            password=settings.sasl_password,
            mechanism=settings.sasl_mechanism,
            ssl_context=context,
        )
    return SSLCredentials(context) if context else None


def from_environment(broker: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """``client_options`` of a command that has no settings but the address: the rest is in the worker's variables.

    Raises SettingsError, and OSError as ``client_options`` does.
    """
    known = {variable(name): environment[variable(name)] for name in SECURITY if variable(name) in environment}
    needed = {name: "-" for name, entry in ENTRIES.items() if entry.default is None}
    return client_options(load({**needed, "broker": broker}, known))


class Refusal(NamedTuple):
    """Why a client gets nowhere."""

    text: str
    final: bool
    """Whether asking again is of no use: the broker has said no, or it is not the one that was meant."""


async def why_not(options: Mapping[str, Any]) -> Refusal:
    """Why clients with these options do not reach the brokers: what a connection to the first of them comes to."""
    host, _, port = options["bootstrap_servers"][0].rpartition(":")
    names = ("security_protocol", "ssl_context", "sasl_mechanism", "sasl_plain_username", "sasl_plain_password")
    try:
        async with asyncio.timeout(_PATIENCE):
            connection = await create_conn(host, int(port), **{name: options[name] for name in names if name in options})
    except SaslAuthenticationFailed:
        who = f"{variable('sasl_username')} and {variable('sasl_password')}"
        return Refusal(f"the broker knows no such user with this password: check {who}", final=True)
    except UnsupportedSaslMechanismError:
        text = f"the broker does not let anybody log in by {options['sasl_mechanism']}: check {variable('sasl_mechanism')}"
        return Refusal(text, final=True)
    except ssl.SSLCertVerificationError as error:
        check = f"check {variable('ssl_cafile')}, and that the certificate names the host in {variable('broker')}"
        return Refusal(f"the broker's certificate is not accepted ({error.verify_message}): {check}", final=True)
    except (ConnectionResetError, KafkaConnectionError, ssl.SSLError):
        text = f"the broker hangs up: does it ask for encryption, or for none? check {variable('tls')}"
        return Refusal(text, final=False)
    except (OSError, TimeoutError):
        where = f"{flag('broker')}, {variable('broker')}"
        return Refusal(f"is the address right ({where}) and the broker up (`breachwatch broker` starts one)?", final=False)
    connection.close()
    without = "" if "sasl_mechanism" in options else f"; does it ask for a name and a password ({variable('sasl_mechanism')})?"
    return Refusal(f"the broker can be reached{without}", final=False)


def _context(settings: Settings) -> ssl.SSLContext | None:
    if not settings.tls:
        return None
    context = ssl.create_default_context(cafile=settings.ssl_cafile or None)
    if settings.ssl_certfile:
        context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile or None)
    return context
