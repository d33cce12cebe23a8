"""Measurements that are too long for tests; each has a command, a seed and a report under docs/reports."""
