"""An embedded Apache Kafka broker for the demo and the tests: no Docker, no Java."""
