"""Makes the sender of each destination: here the references to secrets become what they name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.notify.webhook import SecretFormError, WebhookSender, key_of
from stream.runtime.secret_values import SecretError, secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stream.notify.delivery import Sender
    from stream.notify.rules import Destination


class DestinationsError(Exception):
    """Destinations cannot be used as they are. ``problems`` has a line for each, without any secret."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def senders_of(destinations: Iterable[Destination], environment: Mapping[str, str]) -> dict[str, Sender]:
    """Destination to its sender. Raises DestinationsError with every problem."""
    problems: list[str] = []
    senders: dict[str, Sender] = {}
    for destination in destinations:
        try:
            senders[destination.name] = sender_of(destination, environment)
        except ValueError as error:
            problems.append(f"destination {destination.name}: {error}")
    if problems:
        raise DestinationsError(problems)
    return senders


def sender_of(destination: Destination, environment: Mapping[str, str]) -> Sender:
    """Raises ValueError; its text has no secret."""
    if destination.apprise:
        from stream.notify.apprise_sender import AppriseSender

        return AppriseSender(_text(destination.apprise, environment))
    url = destination.webhook
    if url.startswith(("env:", "file:")):
        url = _text(url, environment)
        if not url.startswith(("https://", "http://")):
            raise SecretError(f"{destination.webhook}: it is not an http or https address")
    keys = []
    for reference in destination.secrets:
        try:
            keys.append(key_of(secret(reference, environment)))
        except SecretFormError as error:
            raise SecretError(f"{reference}: {error}") from error
    return WebhookSender(url, keys)


def _text(reference: str, environment: Mapping[str, str]) -> str:
    try:
        return secret(reference, environment).decode().strip()
    except UnicodeDecodeError:
        raise SecretError(f"{reference}: it is not UTF-8 text") from None
