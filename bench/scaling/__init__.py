"""Autoscaling measured: a step of the load, an outage of the metrics, waking from zero, a thousand autoscalers."""
