"""Traffic -> manifests, and manifests -> traffic as it is; no client."""
