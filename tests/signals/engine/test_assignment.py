from collections import Counter
from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals.engine.assignment import arm_of, block_of, draw, intervals


def test_a_draw_is_the_first_32_bits_of_the_hash() -> None:
    digest = sha256(b"salt:unit").digest()

    assert draw("salt", "unit") == int.from_bytes(digest[:4]) / 2**32


@given(st.lists(st.integers(1, 1_000), min_size=2, max_size=6), st.text(), st.text())
def test_every_unit_has_one_arm_in_whose_interval_its_draw_lies(
    parts: list[int], salt: str, unit: str
) -> None:
    shares = [part / sum(parts) for part in parts]

    low, high = intervals(shares)[arm_of(salt, unit, shares)]

    assert low <= draw(salt, unit) < high
    ends = intervals(shares)
    assert (ends[0][0], ends[-1][1]) == (0, 1)
    assert all(before[1] == after[0] for before, after in pairwise(ends))


def test_arms_get_their_shares_and_another_salt_draws_anew() -> None:
    shares = [0.5, 0.3, 0.2]
    units = [str(number) for number in range(20_000)]
    first, second = ([arm_of(salt, unit, shares) for unit in units] for salt in ("one", "two"))

    assert [Counter(first)[arm] / 20_000 for arm in range(3)] == pytest.approx(shares, abs=0.012)
    together = sum(a == b == 0 for a, b in zip(first, second, strict=True)) / 20_000
    assert together == pytest.approx(0.25, abs=0.012)


def test_a_block_is_so_many_hours_of_signal_time() -> None:
    hour = 3_600_000

    assert block_of(0, 6) == block_of(6 * hour - 1, 6) == "0"
    assert block_of(6 * hour, 6) == "1"


@pytest.mark.parametrize("shares", [[0.5, 0.4], [1.0, 0.0], [0.5, float("nan")], [0.7, 0.7, -0.4]])
def test_shares_that_are_none_are_refused(shares: list[float]) -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        intervals(shares)
