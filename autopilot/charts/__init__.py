"""Figures of the autopilot's pages: pure functions from numbers to Plotly's JSON, without a colour."""
