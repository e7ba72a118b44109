"""Compute the numbers that figures of a model are drawn from."""
