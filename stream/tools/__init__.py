"""Programs around the worker: embedded broker, demo, publish, replay, import."""
