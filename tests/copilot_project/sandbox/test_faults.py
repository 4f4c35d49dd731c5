import asyncio
import json
from pathlib import Path

import aiohttp
import pytest
from telegram.error import NetworkError, TimedOut

from tests.copilot_project.sandbox.served import CHAT, Served, configured, serving


async def ask_for(served: Served, **fault: object) -> None:
    await served.post("/_sandbox/faults", fault)


@pytest.mark.parametrize("kind", ["hang", "late"])
async def test_message_of_a_caller_who_gave_up_waiting_was_accepted(served: Served, kind: str) -> None:
    await served.open_chat()
    await ask_for(served, kind=kind, count=1, seconds=600)
    async with served.bot() as bot:
        with pytest.raises(TimedOut):
            await bot.send_message(CHAT, "did it arrive?", read_timeout=0.3)
    while not await served.journal():
        await asyncio.sleep(0.02)
    assert [record["text"] for record in await served.journal()] == ["did it arrive?"]


async def test_closed_connection_leaves_the_message_accepted(served: Served) -> None:
    await served.open_chat()
    await ask_for(served, kind="close", count=1)
    async with served.bot() as bot:
        with pytest.raises(NetworkError):
            await bot.send_message(CHAT, "x")
    assert len(await served.journal()) == 1


async def test_garbage_answer_leaves_the_message_accepted(served: Served) -> None:
    await served.open_chat()
    await ask_for(served, kind="garbage", count=1)
    async with served.http.post(
        f"{served.url}/bot{served.config.token}/sendMessage", json={"chat_id": CHAT, "text": "x"}
    ) as response:
        with pytest.raises(json.JSONDecodeError):
            json.loads(await response.text())
    assert len(await served.journal()) == 1


async def test_server_error_accepts_nothing_and_is_used_up(served: Served) -> None:
    await served.open_chat()
    await ask_for(served, kind="500", count=1)
    message = {"chat_id": CHAT, "text": "x"}
    assert (await served.call("sendMessage", message))[0] == 500
    assert await served.journal() == []
    assert (await served.call("sendMessage", message))[0] == 200


async def test_bad_gateway_leaves_the_message_accepted(served: Served) -> None:
    await served.open_chat()
    await ask_for(served, kind="502", count=1)
    status, _, body = await served.call("sendMessage", {"chat_id": CHAT, "text": "x"})
    assert (status, body["description"]) == (502, "Bad Gateway")
    assert len(await served.journal()) == 1


async def test_calls_are_written_down_before_they_are_answered_refused_ones_too(tmp_path: Path) -> None:
    async with serving(configured(tmp_path, record_calls=True)) as served:
        await served.open_chat()
        await ask_for(served, kind="429", retry_after=3, count=1)
        for _ in range(2):
            await served.call("sendMessage", {"chat_id": CHAT, "text": "x"})
    lines = (tmp_path / "calls.jsonl").read_text().splitlines()
    refused, refusal, accepted, acceptance = map(json.loads, lines)
    assert (refused["fault"], refused["refusal"], refused["retry_after"]) == ("429", 429, 3)
    assert (accepted["fault"], accepted["refusal"], accepted["chat_id"]) == (None, None, CHAT)
    assert refused["arrived"] <= refused["monotonic"] <= refusal["monotonic"] <= accepted["arrived"]
    assert (refusal["answer_to"], acceptance["answer_to"]) == (refused["arrived"], accepted["arrived"])


async def test_fault_for_one_chat_leaves_the_others_alone(served: Served) -> None:
    await served.open_chat(CHAT)
    await served.open_chat(CHAT + 1)
    await ask_for(served, kind="400", chat_id=CHAT)
    assert (await served.call("sendMessage", {"chat_id": CHAT + 1, "text": "x"}))[0] == 200
    assert (await served.call("sendMessage", {"chat_id": CHAT, "text": "x"}))[0] == 400


async def test_cleared_faults_do_not_strike(served: Served) -> None:
    await served.open_chat()
    await ask_for(served, kind="500")
    async with served.http.delete(served.url + "/_sandbox/faults"):
        pass
    assert (await served.call("sendMessage", {"chat_id": CHAT, "text": "x"}))[0] == 200


async def test_unknown_kind_of_fault_is_refused_with_the_allowed_ones(served: Served) -> None:
    async with served.http.post(served.url + "/_sandbox/faults", json={"kind": "nonsense"}) as response:
        assert response.status == 400
        assert "hang" in await response.text()


async def test_exchange_fault_reaches_ccxt_as_its_own_error(served: Served) -> None:
    await ask_for(served, kind="500", target="exchange", count=1)
    status, _, body = await served.get("/binance/api/v3/time")
    assert (status, body["code"]) == (500, -1000)
    assert (await served.get("/binance/api/v3/time"))[0] == 200


@pytest.mark.slow
async def test_latency_keeps_the_answer_back_after_acceptance(served: Served) -> None:
    await served.open_chat()
    await served.post("/_sandbox/latency", {"ms": 5000})
    pending = asyncio.create_task(served.call("sendMessage", {"chat_id": CHAT, "text": "x"}))
    while not await served.journal():
        await asyncio.sleep(0.02)
    assert not pending.done()
    assert (await pending)[0] == 200


async def test_refusals_equal_the_recorded_wire_captures(served: Served, shared_data: Path) -> None:
    recorded = json.loads((shared_data / "payloads/telegram/responses.json").read_text())["responses"]
    await served.open_chat()
    for capture in recorded[:2]:
        await ask_for(served, kind=str(capture["status"]), count=1)
        status, headers, body = await served.call("sendMessage", {"chat_id": CHAT, "text": "x"})
        assert (status, body) == (capture["status"], capture["body"])
        assert headers.get("Retry-After") == capture["headers"].get("Retry-After")


async def test_foreign_host_name_is_refused(served: Served) -> None:
    headers = {"Host": "rebound.example"}
    async with aiohttp.ClientSession() as http, http.get(served.url + "/", headers=headers) as response:
        assert response.status == 403
