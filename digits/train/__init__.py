"""Build, train and export networks."""
