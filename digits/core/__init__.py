"""Shared by all stages: parameters, the data that they hand on, errors, files."""
