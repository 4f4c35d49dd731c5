"""The names of the three forecasts; `volatility` makes them."""

from enum import StrEnum


class VolatilityModel(StrEnum):
    EWMA = "ewma"
    HAR = "har"
    GARCH = "garch"
