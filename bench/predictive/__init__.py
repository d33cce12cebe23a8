"""How much scaling.predictive saves, and what it costs, against an autoscaler that only reacts. Simulated."""
