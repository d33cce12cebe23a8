"""The frozen values that every layer speaks; no behaviour beyond predicates."""
