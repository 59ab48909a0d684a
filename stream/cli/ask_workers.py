"""Asks all running workers what a deployment would do to their tickets."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import click
import msgspec

from stream.deployments.impact import Impact
from stream.deployments.record import encode_record
from stream.observe.pages.routes import PREVIEW
from stream.runtime.rehearsal import Rehearsal

if TYPE_CHECKING:
    from stream.deployments.record import DeploymentRecord

_PATIENCE: Final = 900
"""Seconds for one worker to count its tickets."""


def ask_workers(url: str, record: DeploymentRecord, token: str) -> Rehearsal:
    """The impact of a record on the tickets of all workers of a group. ``url``: the pages of any of them.

    Raises click.ClickException if one of them does not answer: the count would not be complete.
    """
    value = encode_record(record)
    page = json.loads(_answer(Request(f"{url.rstrip('/')}/?format=json"), token))  # noqa: S310  see _answer
    if not page["ready"]:
        raise click.ClickException(f"the workers are not ready ({page['status']}): ask again when they are")
    owned = {number for worker in page["workers"] for number in worker["partitions"]}
    owned |= {partition["number"] for partition in page["partitions"]}
    if missing := set(range(max(owned, default=0) + 1)) - owned:
        raise click.ClickException(
            f"{url} does not know who owns partitions {', '.join(map(str, sorted(missing)))}: they are moving, or two workers "
            "advertise the same address (setting 'advertise')"
        )
    # A worker's own address is the one that was reached, whatever it advertises to the others.
    others = {other["worker"] for other in page["workers"]} - {page["worker"]}
    impact = Impact()
    for worker in (url.rstrip("/"), *sorted(others)):
        answer = _answer(Request(f"{worker}{PREVIEW}", data=value, method="POST"), token)  # noqa: S310
        impact += msgspec.json.decode(answer, type=Impact)
    return Rehearsal(impact, record.at, 0)


def _answer(request: Request, token: str) -> bytes:
    """Raises click.ClickException."""
    where = request.full_url
    if request.type not in ("http", "https"):
        raise click.ClickException(f"{where}: the address of a worker begins with http:// or https://")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urlopen(request, timeout=_PATIENCE) as response:  # noqa: S310
            body: bytes = response.read()
            return body
    except HTTPError as error:
        raise click.ClickException(f"{where}: {_reason(error)}") from error
    except (URLError, OSError) as error:
        raise click.ClickException(f"{where}: no answer from this worker: {error}") from error


def _reason(error: HTTPError) -> str:
    text = error.read().decode("utf-8", "replace").strip()
    if error.code == HTTPStatus.UNAUTHORIZED:
        return "a token is required: set BREACHWATCH_TOKEN"
    try:
        problem: Any = json.loads(text)
        return str(problem["error"])
    except (ValueError, KeyError, TypeError):
        return text or error.reason
