"""Real faults under a real Prometheus: each alert fires, and ends (`make alerts`)."""
