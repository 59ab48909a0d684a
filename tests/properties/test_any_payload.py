"""The shipped mappings, and whatever JSON a helpdesk may send: events that the decoder accepts, or none."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.feeds.mapping import load, shipped
from stream.feeds.reading import read
from stream.wire.decode import read as decode
from stream.wire.incoming import Incoming
from tests.unit.feeds.mappings import AT, RECEIVED

WORDS = {
    "event", "type", "ticket", "id", "payload", "conversation", "issue", "journals", "item", "details", "name", "new", "old",
    "Create", "Status", "Correspond", "Set", "Owner", "status_id", "conversation.created", "message.created", "created_at",
    "followup_set", "followup_id", "comment", "date", "status", "priority", AT, "1", "uuid", "created", "transaction", "doc",
}  # fmt: skip
KEYS = st.sampled_from(sorted(WORDS)) | st.text(max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(sorted(WORDS)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=15,
)
MAPPINGS = {name: load(name) for name in shipped()}


@settings(deadline=None)
@given(JSON)
def test_the_shipped_mappings_read_any_json_without_an_exception(payload: object) -> None:
    for mapping in MAPPINGS.values():
        reading = read(mapping, payload, {"X-Event": "x"}, RECEIVED)

        assert (reading.unmapped is None) or not reading.events
        for event in reading.events:
            assert isinstance(decode(event.value), Incoming)
