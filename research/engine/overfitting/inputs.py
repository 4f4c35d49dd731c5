"""What the questions about luck ask of their numbers, checked in one place."""

from math import isfinite


def check_finite(**numbers: float) -> None:
    for name, value in numbers.items():
        if not isfinite(value):
            raise ValueError(f"{name} must be a finite number, not {value}")


def check_observations(observations: float, least: int = 2) -> None:
    check_finite(observations=observations)
    if observations < least:
        raise ValueError(f"observations: {observations} are too few, {least} is the least that can be judged")


def check_trials(trials: float) -> None:
    check_finite(trials=trials)
    if trials < 1:
        raise ValueError(f"trials must be at least 1, the one that is judged, not {trials}")
