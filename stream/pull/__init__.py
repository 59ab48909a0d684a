"""Pulls what happened from the APIs of helpdesks: documents in, ticket events out, to a file or to Kafka."""
