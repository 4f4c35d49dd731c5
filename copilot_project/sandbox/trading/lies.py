"""How the exchange deceives whoever trades there, on request: what it hides, splits, repeats and mixes up.

Lost, late and broken answers are `Faults`; these are lies about the book itself.
"""

import random
from dataclasses import asdict, dataclass, field, fields


@dataclass
class Lies:
    """hidden_seconds: a new order and its trades cannot be asked for so long. partial_seconds: so long a limit order
    keeps half of itself open. skew_ms: how wrong the exchange's clock is told. Probabilities are of one order."""

    seed: int = 7
    hidden_probability: float = 0.0
    hidden_seconds: float = 0.0
    partial_probability: float = 0.0
    partial_seconds: float = 0.0
    split_fills: int = 1
    duplicate_fills: bool = False
    reorder_fills: bool = False
    skew_ms: int = 0
    rng: random.Random = field(default_factory=lambda: random.Random(7), repr=False)  # noqa: S311

    def change(self, asked: dict[str, object]) -> None:
        """ValueError for a name that is not there."""
        known = {each.name: each for each in fields(self) if each.name != "rng"}
        for name, value in asked.items():
            if name not in known:
                raise ValueError(f"{name} is no lie; there are {', '.join(known)}")
            setattr(self, name, type(getattr(self, name))(value))
        if "seed" in asked:
            self.rng = random.Random(self.seed)  # noqa: S311

    def told(self) -> dict[str, object]:
        return {name: value for name, value in asdict(self).items() if name != "rng"}

    def hidden_ms(self) -> int:
        return int(self.hidden_seconds * 1000) if self._happens(self.hidden_probability) else 0

    def partial_ms(self) -> int:
        return int(self.partial_seconds * 1000) if self._happens(self.partial_probability) else 0

    def mixed(self, rows: list[dict[str, object]]) -> list[dict[str, object]]:
        """A list of trades as it is told: some twice, in another order."""
        if self.duplicate_fills:
            rows = rows + rows[: len(rows) // 2 + 1]
        if self.reorder_fills:
            rows = list(rows)
            self.rng.shuffle(rows)
        return rows

    def _happens(self, probability: float) -> bool:
        return probability > 0 and self.rng.random() < probability
