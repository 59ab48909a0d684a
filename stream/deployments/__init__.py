"""Deployments: complete sets of policies and calendars, and what lies between two of them."""
