"""Informs people and other programs of effects: routes, messages, grouping, delivery, and the memory of what was sent."""
