"""Look at the data."""
