"""A real Kubernetes for demonstrations and tests, made from package registries alone.

Why it exists: a rollout operator can only be believed on a real API server with real pods. It is a development
tool: nothing in here is imported by the operator, and it must never touch a cluster that it did not start
(provider `current` only adds images and add-ons to the one the user names).
"""
