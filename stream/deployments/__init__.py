"""Deployments: complete sets of policies and calendars, the log of them, and what lies between two of them."""
