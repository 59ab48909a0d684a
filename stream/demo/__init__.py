"""The demo: a simulated helpdesk, workers, and a display of their effects."""
