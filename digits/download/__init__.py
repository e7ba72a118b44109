"""Bring a data source's files here."""
