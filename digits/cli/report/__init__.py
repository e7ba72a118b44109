"""What a run left, for people: a page to look at, and a card for each model."""
