"""Figures of the console's pages: pure functions from arrays to Plotly's JSON (`figure`), one kind per module."""
