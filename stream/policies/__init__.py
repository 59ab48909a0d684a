"""Policies that ship with breachwatch: working examples, each after a published support agreement."""
