"""Measuring a device for predicted latency, and networks against their predictions."""
