"""What an operator may set: each setting is a field here, and its variable, flag and key in the file bear its name.

``grace`` is ``--grace``, ``BREACHWATCH_GRACE`` and ``grace`` in ``breachwatch.toml``; a flag beats the environment,
the environment beats the file. Whatever the source, a value is a text (``"5s"``, ``"4"``), read by the same function.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stream.runtime import setting_values as read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX: Final = "BREACHWATCH_"
CONFIG_FILE: Final = "breachwatch.toml"


class ClockMode(StrEnum):
    """What time it is for deadlines."""

    WALL = "wall"
    """The machine's clock, once a partition has caught up with what was published while the worker was away."""
    EVENT = "event"
    """What the feed says: the newest event or tick. For recorded feeds, the demo and tests."""


class SettingsError(Exception):
    """The settings are wrong. ``problems`` has all of them, each with where it stands and what is expected."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Entry:
    """How a setting is read from text, its default as text (``None``: it must be given), and what it means."""

    reader: Callable[[str], Any]
    default: str | None
    help: str


def _setting(reader: Callable[[str], Any], default: str | None, text: str, *, secret: bool = False) -> Any:
    entry = {"entry": Entry(reader, default, text)}
    if default is None:
        return field(metadata=entry, repr=not secret)
    return field(default=reader(default), metadata=entry, repr=not secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of a worker. Lengths are microseconds."""

    broker: tuple[str, ...] = _setting(
        read.addresses, "127.0.0.1:9092", "Kafka bootstrap addresses, host:port, separated by commas."
    )
    policies: tuple[str, ...] = _setting(
        read.names,
        None,
        "Policy files, or names of policies that ship with breachwatch (batoi), separated by commas.",
    )
    app_id: str = _setting(
        read.app_id,
        "breachwatch",
        "Consumer group, and first part of the changelog topic's name; same for all workers.",
    )
    topic_prefix: str = _setting(read.topic_part, "", "Put before the name of every topic, such as 'eu.'.")
    partitions: int = _setting(
        read.whole(1, 4096), "4", "How many partitions every topic has; chosen once, when the topics are made."
    )
    clock: ClockMode = _setting(  # noqa: RUF009  it makes a dataclass field
        read.one_of(ClockMode), "wall", "What time it is: 'wall', or 'event' for recorded feeds (what the feed says)."
    )
    grace: int = _setting(
        read.span("0s", "1m"),
        "200ms",
        "How long after a deadline it is declared passed: an answer may be on its way.",
    )
    max_ahead: int = _setting(
        read.span("0s", "24h"), "5m", "An event that claims to be further than this in the future is rejected."
    )
    history: int = _setting(
        read.whole(1, 10_000), "200", "Events of a ticket that are kept, so that a late one can be put at its place."
    )
    retention: int | None = _setting(
        read.retention,
        "auto",
        "How long after its newest event a closed ticket is kept; an event that comes later starts it anew, as a partial one. "
        "'never': none is forgotten; 'auto': 30d, but never with clock 'event', as in replay.",
    )
    """``None``: for ever."""
    routine: bool = _setting(
        read.yes_no, "yes", "Publish routine effects too (started, paused, resumed, retargeted, measured)."
    )
    metrics_address: str = _setting(read.text, "127.0.0.1", "Where the pages and /metrics are served.")
    metrics_port: int = _setting(read.whole(0, 65_535), "9300", "Port of these pages; 0 takes a free one and says which.")
    advertise: str = _setting(
        read.page_address,
        "",
        "URL under which browsers and the other workers reach these pages, if not http://metrics_address:metrics_port.",
    )
    token: str = _setting(
        read.token,
        "",
        "Asked of everybody who wants to see pages or metrics, as a bearer token or password; none: everybody may.",
    )
    session_timeout: int = _setting(
        read.span("6s", "5m"), "8s", "How long a worker may be silent before the others take its partitions over."
    )
    commit_interval: int = _setting(
        read.span("50ms", "1m"), "1s", "How often the broker is told how far the events were processed."
    )
    batch: int = _setting(read.whole(1, 50_000), "5000", "At most this many events are processed at once.")
    tls: bool = _setting(read.yes_no, "no", "Whether connections to the brokers are encrypted.")
    ssl_cafile: str = _setting(
        read.maybe, "", "PEM file of the authorities that vouch for the brokers; without it, the system's."
    )
    ssl_certfile: str = _setting(read.maybe, "", "PEM file of the certificate that this client shows the brokers.")
    ssl_keyfile: str = _setting(read.maybe, "", "PEM file of its key, unless that stands in the same file.")
    sasl_mechanism: str = _setting(read.sasl, "", "How to log in to the brokers: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.")
    sasl_username: str = _setting(read.maybe, "", "Name to log in with.")
    sasl_password: str = _setting(
        read.verbatim, "", "Password to log in with; give it as a variable or in the file, a flag is seen by all.", secret=True
    )

    def __post_init__(self) -> None:
        if self.retention == read.AUTO:
            # Recorded feeds cover months, and are to come to what replay says of them, which forgets nothing.
            object.__setattr__(self, "retention", None if self.clock is ClockMode.EVENT else read.micros("30d"))


ENTRIES: Final[Mapping[str, Entry]] = {f.name: f.metadata["entry"] for f in fields(Settings)}
"""Name of each setting to how it is read, its default as text, and its help."""


SECURITY: Final = ("tls", "ssl_cafile", "ssl_certfile", "ssl_keyfile", "sasl_mechanism", "sasl_username", "sasl_password")
"""Settings that say how a client shows and proves who it is."""


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def flag(name: str) -> str:
    """The command line flag of a setting."""
    return "--" + name.replace("_", "-")


def load(flags: Mapping[str, str | None], environment: Mapping[str, str], file: Path | None = None) -> Settings:
    """The settings from all three sources. ``file`` must exist if given. Raises SettingsError with every problem."""
    problems: list[str] = []
    texts: dict[str, tuple[str, str]] = {}
    for name, text in _from_file(file, problems).items():
        texts[name] = (text, f"{name} in {file}")
    for name in ENTRIES:
        if (value := environment.get(variable(name))) is not None:
            texts[name] = (value, f"{variable(name)} in the environment")
        if (given := flags.get(name)) is not None:
            texts[name] = (given, flag(name))
    values: dict[str, Any] = {}
    for name, (value, where) in texts.items():
        try:
            values[name] = ENTRIES[name].reader(value)
        except ValueError as error:
            problems.append(f"{where}: {error}")
    for name, entry in ENTRIES.items():
        if entry.default is None and name not in texts:
            problems.append(f"no {name}: give {flag(name)}, {variable(name)}, or {name} in {CONFIG_FILE}. {entry.help}")
    if not problems:
        settings = Settings(**values)
        problems = _together(settings)
    if problems:
        raise SettingsError(problems)
    return settings


def _together(settings: Settings) -> list[str]:
    """What is wrong between settings that are right each for itself. Never says what a secret is."""
    problems = []
    files = {name: getattr(settings, name) for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile")}
    for name, file in files.items():
        if file and not settings.tls:
            problems.append(f"{name} is given, but connections are not encrypted: give {flag('tls')} yes, or leave it out")
        elif file and not Path(file).is_file():
            problems.append(f"{name}: there is no file {file}")
    if settings.ssl_keyfile and not settings.ssl_certfile:
        problems.append("ssl_keyfile is given without ssl_certfile, the certificate that it belongs to")
    login = {name: bool(getattr(settings, name)) for name in ("sasl_mechanism", "sasl_username", "sasl_password")}
    if any(login.values()) and not all(login.values()):
        missing = ", ".join(name for name, given in login.items() if not given)
        problems.append(f"to log in to the brokers sasl_mechanism, sasl_username and sasl_password are needed; no {missing}")
    return problems


def _from_file(file: Path | None, problems: list[str]) -> dict[str, str]:
    if file is None:
        return {}
    try:
        table = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        problems.append(f"{file}: cannot be read: {error.strerror}")
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{file}: not TOML: {error}")
        return {}
    texts = {}
    for name, value in table.items():
        if name not in ENTRIES:
            problems.append(f"{name} in {file}: there is no such setting; there are {', '.join(ENTRIES)}")
        elif (text := _as_text(value)) is None:
            problems.append(f"{name} in {file}: give a text, a number, true or false, or a list of texts")
        else:
            texts[name] = text
    return texts


def _as_text(value: object) -> str | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ",".join(value)
    return None


def from_command(config: Path | None, flags: Mapping[str, str | None], environment: Mapping[str, str]) -> Settings:
    """The settings of a command. ``config``: ``None`` for the usual file, if there is one.

    Raises SettingsError with every problem.
    """
    if config is None and (usual := Path(CONFIG_FILE)).exists():
        config = usual
    return load(flags, environment, config)
