"""An embedded Apache Kafka broker for the demo and the tests, without Docker or Java."""
