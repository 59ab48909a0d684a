"""The doors to Faust and aiokafka: topics, connections, consumers and producers."""
