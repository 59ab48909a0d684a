"""How clients reach the brokers: addresses, encryption and who they are. One place, for every client there is."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from faust.auth import SASLCredentials, SSLCredentials

from stream.runtime.settings import ENTRIES, SECURITY, load, variable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.runtime.settings import Settings


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


def _context(settings: Settings) -> ssl.SSLContext | None:
    if not settings.tls:
        return None
    context = ssl.create_default_context(cafile=settings.ssl_cafile or None)
    if settings.ssl_certfile:
        context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile or None)
    return context
