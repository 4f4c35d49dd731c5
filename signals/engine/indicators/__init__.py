"""Indicators on TA-Lib, one contract for all.

In: 1-D float64 arrays (lists and other numbers are converted; leading NaN is allowed, so that an
indicator can be taken of an indicator). Out: float64 of the same length, NaN until warmed up; an input
shorter than the warm-up gives all NaN. ValueError on a bad period, unequal lengths or a hole (NaN or
infinity) inside the series, which TA-Lib would silently turn into wrong numbers.
"""
