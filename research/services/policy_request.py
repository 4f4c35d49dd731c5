"""What training of policies is asked for: instruments, history, algorithms, steps, seeds."""

from dataclasses import asdict, dataclass
from datetime import datetime

from signals.models import Job
from signals.services.jobs import start_job

ALGORITHMS = ("ppo", "dqn")
PRESETS = ("default", "large_batch")
LEAST_STEPS, MOST_STEPS = 1_000, 5_000_000
MOST_SEEDS = 10


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """each_instrument: one policy for each, else one for all. ValueError for what cannot be."""

    instruments: list[int]
    start: str
    end: str
    algorithms: list[str]
    timesteps: int = 200_000
    preset: str = "large_batch"
    seeds: int = 3
    folds: int = 2
    each_instrument: bool = False
    reason: str = "asked for"

    def __post_init__(self) -> None:
        if not self.instruments:
            raise ValueError("choose at least one instrument")
        if not self.algorithms or not set(self.algorithms) <= set(ALGORITHMS):
            raise ValueError(f"algorithms must be of {', '.join(ALGORITHMS)}")
        if self.preset not in PRESETS:
            raise ValueError(f"the preset must be one of {', '.join(PRESETS)}")
        if not LEAST_STEPS <= self.timesteps <= MOST_STEPS:
            raise ValueError(f"timesteps must be between {LEAST_STEPS:,} and {MOST_STEPS:,}")
        if not 1 <= self.seeds <= MOST_SEEDS or not 1 <= self.folds <= MOST_SEEDS:
            raise ValueError(f"seeds and folds must be between 1 and {MOST_SEEDS}")
        if datetime.fromisoformat(self.start) >= datetime.fromisoformat(self.end):
            raise ValueError("the end must be later than the start")


def ask_for_training(*, request: TrainingRequest, owner: str, now: datetime) -> Job:
    return start_job(kind="train_policy", parameters=asdict(request), owner=owner, now=now)
