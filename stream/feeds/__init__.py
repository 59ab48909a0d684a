"""From the bytes of a topic, or the rows of an export, to ticket events."""
