"""The configuration of the embedded broker as text: its settings, its logging and its JVM flags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

FOREVER: Final = -1
_NO_LIMIT: Final = 2**63 - 1

JVM_FLAGS: Final = (
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # starts faster; one small broker does not need the optimizing compiler
    "-Djava.awt.headless=true",
    # Kafka and its codecs use both features; without these flags the JVM prints a warning for each.
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
)


def server_properties(*, port: int, controller_port: int, logs: Path) -> str:
    """``server.properties`` for a single node that is broker and controller. Only this machine can reach it."""
    settings: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "listeners": f"CLIENT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"CLIENT://127.0.0.1:{port}",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "CLIENT",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": logs,
        "num.network.threads": 2,
        "num.io.threads": 4,
        # A single node cannot have more replicas.
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        # A single worker need not wait for others to join its group.
        "group.initial.rebalance.delay.ms": 0,
        # A topic that is created automatically would have the wrong partition count.
        "auto.create.topics.enable": "false",
        # Recorded feeds have old timestamps and the demo's feed may have future ones: neither may be deleted or rejected.
        "log.retention.ms": FOREVER,
        "log.message.timestamp.before.max.ms": _NO_LIMIT,
        "log.message.timestamp.after.max.ms": _NO_LIMIT,
        # Kafka allocates this buffer at the start; the default is a quarter of the heap.
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
        # After a kill -9 the node must wait for the end of its former session before it can register again.
        "broker.session.timeout.ms": 3000,
        "broker.heartbeat.interval.ms": 500,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def logging_properties(log: Path) -> str:
    """The Log4j 2 configuration: level INFO and above in one file, which is rolled at 10 MB."""
    return f"""\
status = error
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {log}
appender.file.filePattern = {log}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{yyyy-MM-dd'T'HH:mm:ss.SSSX}} %-5p %c{{1}}: %m%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 10MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 2
rootLogger.level = info
rootLogger.appenderRef.file.ref = file
"""
