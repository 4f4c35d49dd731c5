"""Pages of the console about the autopilot."""
