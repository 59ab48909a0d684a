"""The settings of the gateway, and its feeds, from all sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stream.gateway.feed_definitions import FeedOptions
from stream.gateway.settings import load_gateway
from stream.runtime.settings import SettingsError
from stream.runtime.table_settings import Sources

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from stream.gateway.settings import GatewaySettings

WHSEC = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQ="
FEED = FeedOptions(["app=events"])


def load(
    options: FeedOptions = FEED, environment: Mapping[str, str] = {}, file: Path | None = None, **flags: str
) -> GatewaySettings:
    return load_gateway(Sources(flags, environment, file), options)


def problems(
    options: FeedOptions = FEED, environment: Mapping[str, str] = {}, file: Path | None = None, **flags: str
) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(options, environment, file, **flags)
    return caught.value.problems


def test_a_feed_is_given_by_options_by_variables_or_by_a_table(tmp_path: Path) -> None:
    (file := tmp_path / "breachwatch.toml").write_text(
        f"""
        [gateway]
        listen = "[::1]:8081"
        [gateway.feeds.desk]
        mapping = "libredesk"
        secrets = ["env:NEW", "file:{tmp_path / "old"}"]
        """,
        "utf-8",
    )
    (tmp_path / "old").write_text("old\n", "utf-8")

    by_table = load(FeedOptions(), {"NEW": "new"}, file)
    by_options = load(FeedOptions(["desk=libredesk"], ["desk=env:NEW", "desk=env:OLD"]), {"NEW": "new", "OLD": "old"})
    variables = {"BREACHWATCH_GATEWAY_FEEDS": "desk=libredesk", "BREACHWATCH_GATEWAY_SECRETS": "desk=env:NEW, desk=env:OLD"}
    by_variables = load(FeedOptions(), variables | {"NEW": "new", "OLD": "old"})

    for settings in (by_table, by_options, by_variables):
        feed = settings.feeds["desk"]
        assert feed.secrets == (b"new", b"old")
        assert (feed.scheme and feed.scheme.name, feed.mapping and feed.mapping.name) == ("libredesk", "libredesk")
    assert str(by_table.listen) == "[::1]:8081"


def test_an_option_replaces_a_part_of_a_table(tmp_path: Path) -> None:
    (file := tmp_path / "breachwatch.toml").write_text(
        '[gateway.feeds.desk]\nmapping = "libredesk"\nsecrets = "env:A"\n', "utf-8"
    )

    settings = load(FeedOptions(secrets=["desk=env:B"]), {"A": "a", "B": "b"}, file)

    assert settings.feeds["desk"].secrets == (b"b",)


def test_events_in_our_own_contract_are_signed_by_standard_webhooks_unless_another_scheme_is_given() -> None:
    usual = load(FeedOptions(["app=events"], ["app=env:S"]), {"S": WHSEC}).feeds["app"]
    other = load(FeedOptions(["app=events"], ["app=env:S"], ["app=bearer"]), {"S": "abc"}).feeds["app"]

    assert usual.mapping is None
    assert (usual.scheme and usual.scheme.name, other.scheme and other.scheme.name) == ("standard-webhooks", "bearer")


def test_a_helpdesk_that_signs_nothing_has_its_secret_in_the_address() -> None:
    feed = load(FeedOptions(["desk=django-helpdesk"], ["desk=env:S"]), {"S": "abc"}).feeds["desk"]

    assert feed.scheme is not None
    assert feed.scheme.name == "token"


def test_without_a_secret_a_feed_is_served_on_this_machine_only() -> None:
    for address in ("127.0.0.1:0", "[::1]:8080", "localhost:8080", "127.9.9.9:1"):
        assert load(listen=address).feeds["app"].scheme is None
    for address in ("0.0.0.0:8080", "[::]:8080", "10.0.0.1:8080", "gateway:8080"):
        (problem,) = problems(listen=address)
        assert problem.startswith("feed app has no secret")
        assert "--secret app=env:VARIABLE" in problem
        load(FeedOptions(["app=events"], ["app=env:S"]), {"S": WHSEC}, listen=address)


def test_every_problem_of_a_feed_is_listed_and_no_secret_is_shown(tmp_path: Path) -> None:
    (file := tmp_path / "breachwatch.toml").write_text(
        '[gateway.feeds]\nx = 3\n[gateway.feeds.y]\nmap = "a"\n[gateway.feeds.z]\nmapping = 3\n', "utf-8"
    )
    options = FeedOptions(
        ["app", "Desk=events", "a=events", "b=none", "c=events"],
        ["hunter2", "other=env:S", "a=hunter2", "b=env:NONE", "c=env:S"],
        ["a=rot13"],
    )

    found = problems(options, {"S": "not base64!"}, file)

    text = "\n".join(found)
    assert "hunter2" not in text
    assert [part for part in (
        "gateway.feeds.x in", "unknown key 'map'", "must be texts", "'app' is not NAME=VALUE", "a secret is not NAME=VALUE",
        "there is no feed other", "'Desk' is not a name of a feed", "a secret is given as env:NAME", "'rot13' is not a scheme",
        "env:NONE: the variable NONE is not set", "no such mapping", "env:S: the secret must be base64",
    ) if part not in text] == []  # fmt: skip


def test_a_gateway_without_a_feed_does_not_start() -> None:
    (problem,) = problems(FeedOptions())

    assert problem.startswith("no feed: give one as --feed NAME=MAPPING")
    assert "libredesk" in problem


@pytest.mark.parametrize("address", ["8080", "host:", "host:99999", ":80", "host:http"])
def test_an_address_needs_a_host_and_a_port(address: str) -> None:
    (problem,) = problems(listen=address)

    assert "use host:port" in problem


def test_only_events_in_our_own_contract_are_allowed_to_erase_by_a_setting(tmp_path: Path) -> None:
    (file := tmp_path / "breachwatch.toml").write_text(
        '[gateway.feeds.app]\nmapping = "events"\n[gateway.feeds.privacy]\nmapping = "events"\nerase = true\n', "utf-8"
    )
    assert {name: feed.erases for name, feed in load(FeedOptions(), {}, file).feeds.items()} == {"app": False, "privacy": True}

    file.write_text('[gateway.feeds.a]\nmapping = "events"\nerase = "yes"\n', "utf-8")
    assert "erase must be true or false" in problems(FeedOptions(), {}, file)[0]
    file.write_text('[gateway.feeds.a]\nmapping = "zendesk"\nerase = true\n', "utf-8")
    assert "erase is for the mapping events" in problems(FeedOptions(), {}, file)[0]
