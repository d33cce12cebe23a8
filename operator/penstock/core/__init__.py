"""The decision: pure, from World to Plan."""
