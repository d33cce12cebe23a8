"""Whether traffic does what the status says, on a real cluster: shares as clients see them, and what is lost."""
