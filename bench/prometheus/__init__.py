"""What the bundled Prometheus needs for 500 model pods: memory, processor, disk; `python -m bench.prometheus`."""
