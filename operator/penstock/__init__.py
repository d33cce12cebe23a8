"""Penstock: declarative model deployments on Kubernetes, judged on live metrics and taken back by themselves."""
