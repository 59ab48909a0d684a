"""The settings of a worker. Each setting is a field, whose name is also its flag, its variable and its key in the file.

``grace`` is ``--grace``, ``BREACHWATCH_GRACE`` and ``grace`` in ``breachwatch.toml``. A flag overrides the environment, and
the environment overrides the file. In all sources a value is text (``"5s"``, ``"4"``), which the same function converts.

Longer than 250 lines because it is one table of settings.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from stream.observe.pages.ticket_links import ticket_url
from stream.runtime import setting_values as read
from stream.sla.events import TICKET_FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX: Final = "BREACHWATCH_"
CONFIG_FILE: Final = "breachwatch.toml"
TABLES: Final = ("gateway", "pull", "notify", "writeback")
"""Tables of the file with the settings of other commands: ``stream.runtime.table_settings``."""
_YES_NO: Final = ("yes", "no")


class ClockMode(StrEnum):
    """The clock that deadlines use."""

    WALL = "wall"
    """The machine's clock, after a partition has caught up with the events published while the worker was away."""
    EVENT = "event"
    """The time of the newest event or tick. For recorded feeds, the demo and tests."""


class LogFormat(StrEnum):
    """The form of the lines that a worker logs."""

    TEXT = "text"
    JSON = "json"


class SettingsError(Exception):
    """The settings are wrong. ``problems`` has every problem with its place and the expected form."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Entry:
    """The definition of a setting."""

    reader: Callable[[str], Any]
    """Converts text to the value. Raises ValueError."""
    default: str | None
    """As text; ``None`` for a required setting."""
    help: str
    choices: tuple[str, ...] = ()
    """All values that it may have, for completion in shells; empty if they cannot be listed."""

    @property
    def bounds(self) -> str:
        """The bounds that the reader enforces, in words; empty if it has none."""
        return read.bounds(self.reader)


def _setting(
    reader: Callable[[str], Any], default: str | None, text: str, choices: tuple[str, ...] = (), *, secret: bool = False
) -> Any:
    entry = {"entry": Entry(reader, default, text, choices)}
    if default is None:
        return field(metadata=entry, repr=not secret)
    return field(default=reader(default), metadata=entry, repr=not secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of a worker. Durations are microseconds."""

    broker: tuple[str, ...] = _setting(
        read.addresses, "127.0.0.1:9092", "Bootstrap addresses of the Kafka cluster: host:port, separated by commas."
    )
    policies: tuple[str, ...] = _setting(
        read.names,
        None,
        "Policy files, or names of shipped policies such as batoi, separated by commas.",
    )
    app_id: str = _setting(
        read.app_id,
        "breachwatch",
        "Name of this installation. Together with the topic prefix it names the consumer group, the changelog and the log of "
        "deployments. The same for all workers.",
    )
    topic_prefix: str = _setting(read.topic_part, "", "Prefix of the name of everything on the cluster, such as 'eu.'.")
    partitions: int = _setting(
        read.Whole(1, 4096), "4", "Number of partitions of every topic, which must not change after the topics are created."
    )
    clock: ClockMode = _setting(  # noqa: RUF009  it makes a dataclass field
        read.one_of(ClockMode),
        "wall",
        "Clock for deadlines: 'wall', or 'event' for recorded feeds, whose events set the time.",
        tuple(ClockMode),
    )
    grace: int = _setting(
        read.Length("0s", "1m"),
        "200ms",
        "How long a worker waits after a deadline before it declares the breach, because an answer may still arrive.",
    )
    max_ahead: int = _setting(
        read.Length("0s", "24h"), "5m", "Events whose time is further ahead of the worker's clock than this are rejected."
    )
    history: int = _setting(
        read.Whole(2, 10_000), "200", "Number of events kept for each ticket, so that a late event can be put in its place."
    )
    keep_fields: frozenset[str] | None = _setting(
        read.kept_fields,
        ",".join(TICKET_FIELDS[2:]),
        "Ticket fields, separated by commas, that are kept and shown although no policy reads them. status, priority and the "
        "fields that policies read are always kept; all others are dropped. '*' keeps all. The same for all workers.",
    )
    """``None`` is all."""
    late_after: int = _setting(
        read.Length("0s", "1d"),
        "1m",
        "An event that reaches Kafka more than this after it happened is old: its effects on the past are late, and page "
        "nobody. Set it above the interval at which your helpdesk is polled.",
    )
    settling: int = _setting(
        read.Length("0s", "10m"),
        "10s",
        "How long a worker waits after an old event for more of its ticket before it publishes what they show of the past.",
    )
    feed_lag_limit: int = _setting(
        read.Length("1m", "1d"),
        "5m",
        "How far a watched feed may be behind. Breaches for which it is further behind are provisional until the feed is "
        "complete up to them. Set it to several times the interval of the ticks. Only feeds whose ticks have a state are "
        "watched.",
    )
    retention: int | None = _setting(
        read.retention,
        "auto",
        "How long a closed ticket is kept after its newest event; a later event starts a new, partial ticket. "
        "'never' keeps tickets for ever; 'auto' is 30d, or 'never' if clock is 'event', as in `breachwatch replay`.",
    )
    """``None`` is for ever."""
    deleted_retention: int | None = _setting(
        read.retention,
        "auto",
        "How long a deleted ticket is kept and can be restored, before it is erased. At most 'retention'. 'auto' is 7d, "
        "or 'never' if clock is 'event'.",
    )
    """``None``: as long as any ticket that has ended."""
    rejected_retention: int = _setting(
        read.Length("1h", "3650d"),
        "7d",
        "How long rejected records and payloads of feeds are kept, which may have text that people wrote: `topics create` sets "
        "it, `topics check` and the workers check it.",
    )
    routine: bool = _setting(
        read.yes_no, "yes", "Whether to publish routine effects too (started, paused, resumed, retargeted, measured).", _YES_NO
    )
    metric_teams: int = _setting(
        read.Whole(0, 1_000),
        "50",
        "Number of teams that are a label value of their own in the metrics, besides those that policies name: the first ones "
        "that a worker sees. The others are counted as 'other'.",
    )
    metric_customers: frozenset[str] = _setting(
        read.metric_customers,
        "",
        "Customers, separated by commas, that are a label value of their own in the metrics of commitments; all others are "
        "counted as 'other'. At most 100; put a name with a comma in double quotation marks. Without any, no metric has the "
        "label customer. The same for all workers.",
    )
    metric_label_sets: int = _setting(
        read.Whole(100, 10_000),
        "2000",
        "Number of combinations of policy, commitment, priority, team and customer that a worker counts separately; further "
        "ones are counted as 'other'. It bounds the series.",
    )
    metrics_address: str = _setting(read.text, "127.0.0.1", "Address on which a worker serves its pages and /metrics.")
    metrics_port: int = _setting(
        read.Whole(0, 65_535), "9300", "Port of these pages; 0 selects a free port, which the log shows."
    )
    advertise: str = _setting(
        read.page_address,
        "",
        "URL at which browsers and other workers reach these pages, if not http://metrics_address:metrics_port.",
    )
    page_prefix: str = _setting(
        read.path_prefix, "", "Path below which a proxy shows the pages, such as /sla. The proxy may remove it or keep it."
    )
    allowed_hosts: tuple[str, ...] = _setting(
        read.host_names,
        "",
        "Names, separated by commas, under which browsers reach these pages, besides IP addresses, localhost and the name in "
        "advertise; * allows every name. Checked only where there is no token, so that other web sites cannot read the pages.",
    )
    token: str = _setting(
        read.token,
        "",
        "Bearer token or password that the pages and /metrics require. Without it they are open to everybody. Use the variable "
        "or the file: other users of the machine can see flags.",
        secret=True,
    )
    ticket_url: str = _setting(
        ticket_url,
        "",
        "Address of a ticket in the helpdesk, for links from the pages: {number} is the part of its name after the last slash, "
        "{source} the part before it, {ticket} all of it.",
    )
    log_format: LogFormat = _setting(  # noqa: RUF009  it makes a dataclass field
        read.one_of(LogFormat), "text", "Form of the log lines: 'text', or 'json' with one object a line.", tuple(LogFormat)
    )
    session_timeout: int = _setting(
        read.Length("6s", "5m"), "8s", "How long a worker may be silent before other workers take over its partitions."
    )
    commit_interval: int = _setting(
        read.Length("50ms", "1m"), "1s", "How often a worker commits the offsets of processed events."
    )
    batch: int = _setting(
        read.Whole(1, 50_000), "5000", "Maximum number of events of a partition that a worker processes as one unit of work."
    )
    tls: bool = _setting(read.yes_no, "no", "Whether to encrypt the connections to the brokers.", _YES_NO)
    ssl_cafile: str = _setting(
        read.maybe, "", "PEM file of the certificate authorities that sign the brokers' certificates. Default: the system's."
    )
    ssl_certfile: str = _setting(read.maybe, "", "PEM file of the client certificate for the brokers.")
    ssl_keyfile: str = _setting(read.maybe, "", "PEM file of the client certificate's key, if it is in another file.")
    ssl_key_password: str = _setting(
        read.verbatim, "", "Password of that key, if it is encrypted. Use the variable or the file, as for token.", secret=True
    )
    sasl_mechanism: str = _setting(
        read.sasl,
        "",
        "Mechanism of the login to the brokers: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER.",
        read.MECHANISMS,
    )
    sasl_username: str = _setting(read.maybe, "", "User name of the login. Not for OAUTHBEARER.")
    sasl_password: str = _setting(
        read.verbatim,
        "",
        "Password of the login. Use the variable or the file: other users of the machine can see flags. Not for OAUTHBEARER.",
        secret=True,
    )
    sasl_oauth_token_url: str = _setting(
        read.web_address, "", "For OAUTHBEARER: the token endpoint. The grant type is client_credentials."
    )
    sasl_oauth_client_id: str = _setting(read.maybe, "", "Client id at the token endpoint.")
    sasl_oauth_client_secret: str = _setting(
        read.verbatim, "", "Client secret at the token endpoint. Use the variable or the file, as for token.", secret=True
    )
    sasl_oauth_scope: str = _setting(read.maybe, "", "Scopes to ask for, separated by spaces, if the endpoint needs them.")
    sasl_oauth_cafile: str = _setting(
        read.maybe, "", "PEM file of the certificate authorities of the token endpoint. Default: the system's."
    )
    sasl_oauth_token_file: str = _setting(
        read.maybe,
        "",
        "For OAUTHBEARER, instead of a token endpoint: a file with the token, which is read again for each connection.",
    )
    sasl_oauth_extensions: tuple[tuple[str, str], ...] = _setting(
        read.extensions, "", "SASL extensions that the broker needs: name=value, separated by commas."
    )

    def __post_init__(self) -> None:
        recorded = self.clock is ClockMode.EVENT
        if self.deleted_retention == read.AUTO:
            object.__setattr__(self, "deleted_retention", None if recorded else read.micros("7d"))
        if self.retention == read.AUTO:
            # A recorded feed covers months, and its effects must equal those of `breachwatch replay`, which keeps all tickets.
            object.__setattr__(self, "retention", None if recorded else read.micros("30d"))


ENTRIES: Final[Mapping[str, Entry]] = {f.name: f.metadata["entry"] for f in fields(Settings)}
"""The definition of each setting, by name."""

SECURITY: Final = tuple(name for name in ENTRIES if name == "tls" or name.startswith(("ssl_", "sasl_")))
"""The settings for encryption and login."""

SECRETS: Final = ("token", "ssl_key_password", "sasl_password", "sasl_oauth_client_secret")
"""Settings that may be in a file of their own, which ``variable(name) + FILE`` names: as container platforms mount them."""
FILE: Final = "_FILE"


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def flag(name: str) -> str:
    """The command line flag of a setting."""
    return "--" + name.replace("_", "-")
