"""Everything that uses Faust's or aiokafka's Kafka clients: connections, topics, consumers and producers.

No client asks for the metadata of a topic in a way that creates it. On a Kafka with its own defaults
(``auto.create.topics.enable``), asking for a topic by name makes it, with one partition and no compaction. aiokafka asks that
way and has no option for it, and Faust makes clients of its own. So the request itself is changed here, before any client is
made.
"""

from functools import partial

import aiokafka.admin.client
import aiokafka.client
from aiokafka.protocol.metadata import MetadataRequest

for _module in (aiokafka.client, aiokafka.admin.client):
    _module.MetadataRequest = partial(MetadataRequest, allow_auto_topic_creation=False)
