"""The pure core of the autopilot."""
