"""Read the raw files and divide them."""
