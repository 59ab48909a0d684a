"""Policy sets as data that can be stored, sent and compared."""
