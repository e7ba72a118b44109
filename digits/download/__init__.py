"""Download a data source's files."""
