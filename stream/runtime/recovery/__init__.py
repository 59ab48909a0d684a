"""Durable state, and how a worker takes a partition over."""
