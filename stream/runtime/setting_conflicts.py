"""Finds problems between settings that are each valid. The texts never have a secret."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stream.runtime.setting_values import OAUTHBEARER

if TYPE_CHECKING:
    from collections.abc import Mapping

_TLS_FILES: Final = ("ssl_cafile", "ssl_certfile", "ssl_keyfile")
_LOGIN: Final = ("sasl_mechanism", "sasl_username", "sasl_password")
_CLIENT: Final = ("sasl_oauth_token_url", "sasl_oauth_client_id", "sasl_oauth_client_secret")
_ENDPOINT: Final = (*_CLIENT, "sasl_oauth_scope", "sasl_oauth_cafile")
_OAUTH: Final = (*_ENDPOINT, "sasl_oauth_token_file", "sasl_oauth_extensions")


def conflicts(settings: Mapping[str, Any]) -> list[str]:
    """Every problem, with what to do. ``settings``: the values by name."""
    login = _of_oauth(settings) if settings["sasl_mechanism"] == OAUTHBEARER else _of_login(settings)
    return [*_of_files(settings), *login, *_of_metrics(settings)]


def _of_metrics(settings: Mapping[str, Any]) -> list[str]:
    kept = settings["keep_fields"]
    if settings["metric_customers"] and kept is not None and "customer" not in kept:
        return ["metric_customers needs the field customer of tickets, which is not kept: add customer to keep_fields"]
    return []


def _of_files(settings: Mapping[str, Any]) -> list[str]:
    problems = []
    for name in (*_TLS_FILES, "sasl_oauth_cafile"):
        file = settings[name]
        if file and name in _TLS_FILES and not settings["tls"]:
            problems.append(f"{name} is set, but connections are not encrypted: set --tls yes, or omit {name}")
        elif file and not Path(file).is_file():
            problems.append(f"{name}: the file {file} does not exist")
    if settings["ssl_keyfile"] and not settings["ssl_certfile"]:
        problems.append("ssl_keyfile is set without ssl_certfile, the certificate to which the key belongs")
    if settings["ssl_key_password"] and not settings["ssl_certfile"]:
        problems.append("ssl_key_password is set without ssl_certfile, the certificate to whose key the password belongs")
    return problems


def _of_login(settings: Mapping[str, Any]) -> list[str]:
    problems = []
    if _given(settings, _LOGIN) and (missing := _missing(settings, _LOGIN)):
        problems.append(f"a login to the brokers needs sasl_mechanism, sasl_username and sasl_password; missing: {missing}")
    if others := _given(settings, _OAUTH):
        problems.append(f"{others[0]} is set, but sasl_mechanism is not {OAUTHBEARER}: set it, or omit {', '.join(others)}")
    return problems


def _of_oauth(settings: Mapping[str, Any]) -> list[str]:
    problems = []
    if others := _given(settings, ("sasl_username", "sasl_password")):
        problems.append(f"{OAUTHBEARER} logs in with a token: omit {' and '.join(others)}")
    if settings["sasl_oauth_token_file"]:
        if others := _given(settings, _ENDPOINT):
            problems.append(f"sasl_oauth_token_file is used instead of a token endpoint: omit it, or {', '.join(others)}")
    elif missing := _missing(settings, _CLIENT):
        names = "sasl_oauth_token_url, sasl_oauth_client_id and sasl_oauth_client_secret, or sasl_oauth_token_file"
        problems.append(f"the login by {OAUTHBEARER} needs {names}; missing: {missing}")
    return problems


def _given(settings: Mapping[str, Any], names: tuple[str, ...]) -> list[str]:
    return [name for name in names if settings[name]]


def _missing(settings: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return ", ".join(name for name in names if not settings[name])
