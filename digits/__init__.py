"""Classify small labelled images: from published bytes to evaluated networks."""
