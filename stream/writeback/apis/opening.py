"""Opens the API of a desk, by the file of the desk."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

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
    from collections.abc import AsyncIterator, Callable, Mapping

    from stream.writeback.api import Api
    from stream.writeback.desk_file import DeskFile

APIS: Final[Mapping[str, Callable[[DeskFile, DeskClient], Api]]] = {
    "zendesk": lambda _, client: Zendesk(client),
    "jira": lambda _, client: Jira(client),
    "rt": lambda desk, client: RequestTracker(client, desk.tags_field),
    "redmine": lambda _, client: Redmine(client),
    "django-helpdesk": lambda _, client: DjangoHelpdesk(client),
}
"""By the name of the helpdesk in ``stream.writeback.system``."""


@asynccontextmanager
async def opened(desk: DeskFile, environment: Mapping[str, str]) -> AsyncIterator[OpenDesk]:
    """A desk with an open client. Raises SecretError if the login cannot be had."""
    try:
        headers = login_headers(desk.login, secret(desk.login.secret, environment), desk.system)
    except SecretError as error:
        raise SecretError(f"the login of desk {desk.name}: {error}") from error
    pace = Pace(desk.rate)
    async with DeskClient(desk.url, headers, pace, time.time) as client:
        yield OpenDesk(desk, APIS[desk.system.name](desk, client), pace)
