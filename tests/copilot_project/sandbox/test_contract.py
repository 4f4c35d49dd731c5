from collections.abc import Awaitable, Callable

import pytest

from tests.copilot_project.sandbox.contract import EXCHANGE_CHECKS, TELEGRAM_CHECKS
from tests.copilot_project.sandbox.served import Served

Check = Callable[[Served], Awaitable[None]]


@pytest.mark.parametrize("check", EXCHANGE_CHECKS + TELEGRAM_CHECKS, ids=lambda check: check.__name__)
async def test_real_client_meets_the_sandbox_as_it_would_meet_the_far_end(
    served: Served, check: Check
) -> None:
    await check(served)
