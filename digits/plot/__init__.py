"""Compute what figures of a model show."""
