"""Policies, and their commitments to each ticket."""
