"""Stories of rollouts on the real cluster: real pods, gateway, metrics and models, clients that never retry."""
