"""Records the backup of an installation by this release: ``python -m tests.broker.record_backup FILE``."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from stream.devkafka.broker import Broker
from stream.runtime.kafka.topic_admin import create
from stream.runtime.kafka.topics import Topics
from tests.broker.running import Worker, publish, sent
from tests.broker.test_backup_and_restore import EVENT_TIME, HALF, feed, processed, run


def main(file: str) -> None:
    topics = Topics("recorded", "desk.")
    with tempfile.TemporaryDirectory() as folder, Broker() as broker:
        asyncio.run(create(broker.bootstrap, topics, partitions=4))
        with Worker(broker.bootstrap, topics, Path(folder), *EVENT_TIME).ready() as worker:
            processed(broker.bootstrap, topics, feed()[0], HALF, worker)
            worker.stop()
        publish(broker.bootstrap, topics, [sent(*feed()[1][0])])
        done = run("backup", file, broker=broker.bootstrap, topics=topics)
    sys.stderr.write(done.stderr)
    sys.exit(done.exit_code)


if __name__ == "__main__":
    main(sys.argv[1])
