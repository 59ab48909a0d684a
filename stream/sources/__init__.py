"""Converts exports of helpdesks to ticket events."""
