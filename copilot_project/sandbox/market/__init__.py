"""Prices: recorded or simulated bars, in the market's own time."""
