"""The autopilot's way to the outside world."""
