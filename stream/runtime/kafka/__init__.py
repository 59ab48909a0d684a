"""Everything that uses Faust's or aiokafka's Kafka clients: connections, topics, consumers and producers."""
