"""Reports on the last run: a page with all results, and a card for each model."""
