"""Deployments: complete sets of policies and calendars, as data that can be stored, and what lies between two of them."""
