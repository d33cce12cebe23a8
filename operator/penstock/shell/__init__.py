"""The six verbs around the decision, and all I/O with Kubernetes."""
