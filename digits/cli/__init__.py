"""The digits command."""
