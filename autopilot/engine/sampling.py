"""Which candles become samples: names only, light enough for models to use."""

from enum import StrEnum


class Sampling(StrEnum):
    FULL = "full"
    SEED = "seed"

    @property
    def label(self) -> str:
        return {"full": "Every candle", "seed": "Regime changes"}[self.value]
