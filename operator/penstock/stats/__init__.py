"""Sequential tests on counts, and exact increments of counters; pure arithmetic."""
