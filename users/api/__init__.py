"""What every endpoint stands on: who asks, what they may, how often, and that a repeat does nothing twice."""
