"""The API of a desk, by the file of the desk."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from stream.runtime.secret_values import SecretError, secret
from stream.writeback.apis.django_helpdesk import DjangoHelpdesk
from stream.writeback.apis.jira import Jira
from stream.writeback.apis.redmine import Redmine
from stream.writeback.apis.rt import RequestTracker
from stream.writeback.apis.zendesk import Zendesk
from stream.writeback.desk import OpenDesk
from stream.writeback.http import DeskClient, login_headers
from stream.writeback.pacing import Pace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from stream.writeback.api import Api
    from stream.writeback.desk_file import DeskFile


@asynccontextmanager
async def opened(desk: DeskFile, environment: Mapping[str, str]) -> AsyncIterator[OpenDesk]:
    """A desk with an open client. Raises SecretError if the login cannot be had."""
    key = ("Authorization", "token {}") if desk.system.name == "rt" else ("X-Redmine-API-Key", "{}")
    try:
        headers = login_headers(desk.login, secret(desk.login.secret, environment), *key)
    except SecretError as error:
        raise SecretError(f"the login of desk {desk.name}: {error}") from error
    pace = Pace(desk.rate)
    async with DeskClient(desk.url, headers, pace, time.time) as client:
        yield OpenDesk(desk, _api_of(desk, client), pace)


def _api_of(desk: DeskFile, client: DeskClient) -> Api:
    match desk.system.name:
        case "zendesk":
            return Zendesk(client)
        case "jira":
            return Jira(client)
        case "rt":
            return RequestTracker(client, desk.tags_field)
        case "redmine":
            return Redmine(client)
        case "django-helpdesk":
            return DjangoHelpdesk(client)
    raise AssertionError(f"there is no API of {desk.system.name}")
