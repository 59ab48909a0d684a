"""The state of one ticket: its fields, stopwatches, commitments, escalations and recent events."""
