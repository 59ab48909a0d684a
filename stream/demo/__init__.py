"""The demo: a simulated helpdesk, a worker, and what they show."""
