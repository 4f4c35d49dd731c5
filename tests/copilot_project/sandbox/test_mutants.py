"""Sandboxes that lie must be found out, or the contract's checks prove nothing."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from ccxt.base.errors import BaseError
from telegram.error import TelegramError

from copilot_project.sandbox.journal import Journal
from tests.copilot_project.sandbox import contract
from tests.copilot_project.sandbox.served import Served, configured, serving

Check = Callable[[Served], Awaitable[None]]
FOUND_OUT = (AssertionError, TelegramError, BaseError, TimeoutError, IndexError, pytest.fail.Exception)

ANYTHING = {
    "message_id": 1,
    "date": 1,
    "chat": {"id": 1, "type": "private"},
    "id": 1,
    "is_bot": True,
    "first_name": "x",
}


@web.middleware
async def always_late(request: web.Request, handler: Handler) -> web.StreamResponse:
    response = await handler(request)
    if request.path.startswith("/bot"):
        await asyncio.sleep(3)
    return response


@web.middleware
async def always_200(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refusals with the status of success, and Telegram's `ok` to match."""
    try:
        response = await handler(request)
    except web.HTTPException as refusal:
        return web.Response(text=refusal.text, content_type="application/json")
    if response.status >= 400 and isinstance(response, web.Response):
        return web.json_response({"ok": True, "result": ANYTHING})
    return response


@web.middleware
async def closed_candles_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    response = await handler(request)
    if request.path.endswith("/klines") and isinstance(response, web.Response) and response.status == 200:
        return web.json_response(json.loads(response.text or "")[:-1], headers=response.headers.copy())
    return response


@pytest.mark.parametrize(
    "check",
    [
        contract.a_chat_takes_one_message_a_second,
        contract.the_bot_sends_thirty_messages_a_second,
        contract.the_weight_limit_holds,
    ],
    ids=lambda check: check.__name__,
)
async def test_sandbox_without_limits_is_found_out(tmp_path: Path, check: Check) -> None:
    async with serving(configured(tmp_path, limits=None, weight_limit=10**9)) as mutant:
        await expect_failure(check, mutant)


@pytest.mark.slow
async def test_sandbox_that_answers_late_is_found_out(tmp_path: Path) -> None:
    async with serving(configured(tmp_path), None, always_late) as mutant:
        await expect_failure(contract.answers_come_within_two_seconds, mutant)


@pytest.mark.parametrize(
    "check",
    [
        contract.wrong_parameters_get_binances_codes,
        contract.the_weight_limit_holds,
        contract.a_wrong_token_is_unauthorized,
        contract.an_unknown_chat_is_refused,
        contract.broken_html_is_refused,
        contract.a_blocked_bot_is_forbidden,
        contract.a_chat_takes_one_message_a_second,
        contract.text_beyond_4096_utf16_units_is_refused,
    ],
    ids=lambda check: check.__name__,
)
async def test_sandbox_with_wrong_statuses_is_found_out(tmp_path: Path, check: Check) -> None:
    async with serving(configured(tmp_path), None, always_200) as mutant:
        await expect_failure(check, mutant)


async def test_sandbox_that_hides_the_forming_candle_is_found_out(tmp_path: Path) -> None:
    async with serving(configured(tmp_path), None, closed_candles_only) as mutant:
        await expect_failure(contract.the_last_candle_is_still_forming, mutant)


async def test_sandbox_that_answers_before_it_writes_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forgetful_append(journal: Journal, record: dict[str, object]) -> None:
        journal.records.append({"wall": 0.0} | record)

    monkeypatch.setattr(Journal, "append", forgetful_append)
    async with serving(configured(tmp_path)) as mutant:
        await expect_failure(contract.an_accepted_message_is_on_disk_before_the_answer, mutant)


async def expect_failure(check: Check, mutant: Served) -> None:
    with pytest.raises(FOUND_OUT):
        await check(mutant)
