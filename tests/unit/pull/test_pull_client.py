"""How the client asks an API: again, slower, or not at all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from stream.pull.client import Client, Patience, instant_of
from stream.pull.errors import ApiError, ForbiddenError, MissingError, RefusedError, UnauthorizedError, UnreachableError
from stream.pull.pacing import Pace
from tests.unit.pull.fake_api import FakeApi, Sleeps, Trouble, served

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping


class _Echo(FakeApi):
    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Any:
        return {"path": path, "query": dict(query)} if "nothing" not in path else None


def _asked(api: FakeApi, ask: Callable[[Client], Awaitable[Any]], sleeps: Sleeps | None = None, path: str = "") -> Any:
    async def run() -> Any:
        async with served(api, {"Authorization": "token t0"}, sleeps=sleeps, path=path) as client:
            return await ask(client)

    return asyncio.run(run())


def test_it_logs_in_with_every_request_and_returns_the_json() -> None:
    api = _Echo()

    assert _asked(api, lambda client: client.get("/issues.json", {"updated_on": ">=2026-01-01T00:00:00Z", "limit": 5})) == {
        "path": "/issues.json",
        "query": {"updated_on": ">=2026-01-01T00:00:00Z", "limit": "5"},
    }
    assert api.sent_headers[0]["Authorization"] == "token t0"


def test_a_path_in_the_address_comes_before_every_other() -> None:
    assert _asked(_Echo(), lambda client: client.get("/api/x"), path="/helpdesk/")["path"] == "/helpdesk/api/x"
    assert _asked(_Echo(), lambda client: client.get("/api/x?page=2"), path="/helpdesk")["query"] == {"page": "2"}


@pytest.mark.parametrize("trouble", [*map(Trouble, (408, 409, 429, 500, 502, 503, 520)), Trouble(200, body=b"<html>")], ids=str)
def test_what_passes_is_asked_again_after_growing_pauses(trouble: Trouble) -> None:
    api, sleeps = _Echo(), Sleeps()
    api.troubles.extend([trouble] * 3)

    assert _asked(api, lambda client: client.get("/x"), sleeps)["path"] == "/x"

    assert len(api.asked) == 4
    first, second, third = sleeps.slept
    assert first < second < third


def test_a_connection_that_breaks_is_made_again() -> None:
    api = _Echo()
    api.troubles.extend([Trouble(close=True)] * 2)

    assert _asked(api, lambda client: client.get("/x"))["path"] == "/x"


def test_after_all_attempts_the_helpdesk_is_unreachable() -> None:
    api, sleeps = _Echo(), Sleeps()
    api.troubles.extend([Trouble(500)] * 9)

    with pytest.raises(UnreachableError, match=r"GET http.*/x: status 500, after 4 attempts"):
        _asked(api, lambda client: client.get("/x", {"key": "secret"}), sleeps)

    assert (len(api.asked), len(sleeps.slept)) == (4, 3)


@pytest.mark.parametrize("status", [429, 503])
def test_it_waits_as_long_as_retry_after_demands(status: int) -> None:
    api, sleeps = _Echo(), Sleeps()
    api.troubles.append(Trouble(status, {"Retry-After": "93"}))

    _asked(api, lambda client: client.get("/x"), sleeps)

    assert sleeps.slept[0] == 93


def test_a_limit_of_the_account_makes_every_request_wait() -> None:
    api, sleeps = _Echo(), Sleeps()
    api.troubles.append(Trouble(429, {"Retry-After": "93"}))

    async def both(client: Client) -> None:
        await client.get("/first")
        sleeps.slept.clear()
        await client.get("/second")

    _asked(api, both, sleeps)

    assert sleeps.slept
    assert 90 < sleeps.slept[0] <= 93


def test_a_demand_to_wait_for_a_day_ends_this_pass() -> None:
    api = _Echo()
    api.troubles.append(Trouble(429, {"Retry-After": "86400"}))

    with pytest.raises(UnreachableError, match="demands to wait for 86400 s"):
        _asked(api, lambda client: client.get("/x"))


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, UnauthorizedError), (403, ForbiddenError), (404, MissingError), (410, MissingError), (400, RefusedError)],
)
def test_what_stays_is_not_asked_again(status: int, kind: type[ApiError]) -> None:
    api, sleeps = _Echo(), Sleeps()
    api.troubles.append(Trouble(status, body=b"wrong\n query"))

    with pytest.raises(kind, match=str(status)):
        _asked(api, lambda client: client.get("/x"), sleeps)

    assert (len(api.asked), sleeps.slept) == (1, [])


def test_the_credentials_go_to_no_other_address() -> None:
    api = _Echo()
    api.troubles.append(Trouble(302, {"Location": "https://elsewhere.example/login"}))

    with pytest.raises(RefusedError, match=r"302: the API is at https://elsewhere\.example/login: set --url to it"):
        _asked(api, lambda client: client.get("/x"))
    with pytest.raises(RefusedError, match=r"another host, https://elsewhere\.example"):
        _asked(api, lambda client: client.get("https://elsewhere.example/page/2"))


def test_an_address_of_the_next_page_on_the_same_host_is_asked_as_it_is() -> None:
    found = _asked(_Echo(), lambda client: client.get(f"{client.url}/next?cursor=a%2Bb"), path="/desk")

    assert found == {"path": "/desk/next", "query": {"cursor": "a+b"}}


def test_at_most_two_requests_are_in_flight() -> None:
    api = _Echo()
    api.slow = 0.01

    async def many(client: Client) -> None:
        await asyncio.gather(*(client.get(f"/{number}") for number in range(20)))

    _asked(api, many)

    assert api.most_in_flight == 2


def test_a_pace_lets_no_more_through_in_a_minute() -> None:
    sleeps = Sleeps()

    async def run() -> None:
        pace = Pace(10, sleeps)
        for _ in range(12):
            await pace.wait()

    asyncio.run(run())

    assert len(sleeps.slept) == 2
    assert all(30 < seconds <= 60 for seconds in sleeps.slept)


def test_pauses_double_up_to_a_limit() -> None:
    patience = Patience(first_pause=1, longest_pause=10)

    pauses = [patience.pause(attempt) for attempt in range(1, 9)]

    assert all(low <= pause <= low * 1.25 for low, pause in zip([1, 2, 4, 8, 10, 10, 10, 10], pauses, strict=True))


@pytest.mark.parametrize("text", ["2026-03-02T10:00:00Z", "2026-03-02T15:30:00+05:30", "2026-03-02T11:00:00.000+0100"])
def test_times_of_apis_are_instants(text: str) -> None:
    assert instant_of(text) == 1_772_445_600_000_000


def test_a_time_without_an_offset_is_no_instant() -> None:
    with pytest.raises(ValueError, match="has no offset"):
        instant_of("2026-03-02T10:00:00")


@pytest.mark.parametrize("address", [".evil.example/?page=2", "http://[::1", "/x?next=://", "javascript://"])
def test_an_address_that_is_none_or_leads_elsewhere_is_refused(address: str) -> None:
    api = _Echo()

    with pytest.raises(RefusedError, match="the API names an address"):
        _asked(api, lambda client: client.get(address))
    assert not api.sent_headers


def test_the_text_of_an_api_cannot_move_the_cursor_of_a_terminal() -> None:
    api = _Echo()
    api.troubles.append(Trouble(422, body=b"\x1b[2J wrong"))

    with pytest.raises(RefusedError) as refused:
        _asked(api, lambda client: client.get("/x"))
    assert str(refused.value).isprintable()
