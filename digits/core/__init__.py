"""What all stages share: their parameters, the data that they hand on, errors, files."""
