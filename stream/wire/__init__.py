"""The JSON of the topics: ticket events in, effects and rejected events out."""
