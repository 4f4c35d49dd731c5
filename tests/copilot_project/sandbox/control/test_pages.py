from pathlib import Path

import pytest
from playwright.async_api import async_playwright, expect

from tests.browser import PATIENCE_MS
from tests.copilot_project.sandbox.served import CHAT, Served

KEYBOARD = {"inline_keyboard": [[{"text": "Acted", "callback_data": "a1"}]]}


@pytest.mark.browser
async def test_visitor_opens_a_chat_reads_a_signal_and_presses_its_button(
    served: Served, chromium: Path
) -> None:
    complaints: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=str(chromium), args=["--no-sandbox"], timeout=PATIENCE_MS
        )
        page = await browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(served.url)
        await expect(page.get_by_text("Simulated market")).to_be_visible()

        await page.get_by_role("button", name="New visitor").click()
        await page.get_by_label("Message to the bot").fill("/start abc")
        await page.get_by_role("button", name="Send").click()
        await expect(page.get_by_label("Messages").get_by_text("/start abc")).to_be_visible()

        _, _, updates = await served.call("getUpdates", {})
        chat_id = updates["result"][0]["message"]["chat"]["id"]
        text = "<b>LONG</b> &lt;img src=x onerror=alert(1)&gt;"
        signal = {"chat_id": chat_id, "text": text, "parse_mode": "HTML", "reply_markup": KEYBOARD}
        assert (await served.call("sendMessage", signal))[0] == 200
        await expect(page.locator(".bubble strong", has_text="LONG")).to_be_visible()
        await expect(page.locator(".bubble img")).to_have_count(0)

        await page.get_by_role("button", name="Acted").click()
        offset = updates["result"][0]["update_id"] + 1
        _, _, pressed = await served.call("getUpdates", {"offset": offset, "timeout": 50})
        query = pressed["result"][0]["callback_query"]
        await served.call("answerCallbackQuery", {"callback_query_id": query["id"], "text": "Noted"})
        await expect(page.get_by_role("status")).to_have_text("Noted")
        await browser.close()
    assert query["data"] == "a1"
    assert complaints == []


async def test_page_runs_no_inline_script(served: Served) -> None:
    async with served.http.get(served.url) as response:
        page, policy = await response.text(), response.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert page.count("<script") == page.count("<script src=")


async def test_silent_message_is_marked_for_the_page(served: Served) -> None:
    await served.open_chat()
    await served.call("sendMessage", {"chat_id": CHAT, "text": "x", "disable_notification": True})
    _, _, chat = await served.get(f"/_sandbox/chats/{CHAT}")
    assert chat["messages"][0]["silent"] is True
