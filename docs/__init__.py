"""The manual, and what writes its reference pages from the code."""
