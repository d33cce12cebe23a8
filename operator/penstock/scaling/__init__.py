"""Bounds -> autoscaler manifests; no client."""
