"""The APIs that a feed can be pulled from, one module each."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from stream.pull.api import Api

NAMES: Final = {
    "chatwoot": "chatwoot",
    "django-helpdesk": "django_helpdesk",
    "freshdesk": "freshdesk",
    "jira": "jira",
    "redmine": "redmine",
    "rt": "rt",
    "zammad": "zammad",
    "zendesk": "zendesk",
}
"""Name, as in ``--api`` and of the shipped mapping, to module."""


def api(name: str) -> Api:
    """The API of this name. Raises KeyError."""
    found = import_module(f"stream.pull.apis.{NAMES[name]}").API
    assert isinstance(found, Api)
    return found
