"""A Kubernetes API in memory, with the faults of a real one on demand; `tests/contract` holds it to the real server."""
