import struct
from io import BytesIO
from pathlib import Path

import pytest
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, ReplyParameters
from telegram.error import BadRequest

from copilot_project.sandbox.journal import Journal
from tests.copilot_project.sandbox.served import CHAT, Served, configured, serving

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x01\x40\x00\x00\x00\xc8\x08\x02\x00\x00\x00"


async def test_chats_and_messages_survive_a_restart(tmp_path: Path) -> None:
    async with serving(configured(tmp_path)) as served:
        await served.open_chat()
        _, _, first = await served.call("sendMessage", {"chat_id": CHAT, "text": "before"})
    async with serving(configured(tmp_path)) as served:
        _, _, second = await served.call("sendMessage", {"chat_id": CHAT, "text": "after"})
        _, _, chat = await served.get(f"/_sandbox/chats/{CHAT}")
    assert [message["text"] for message in chat["messages"]] == ["before", "after"]
    assert chat["first_name"] == "Ada"
    assert second["result"]["message_id"] > first["result"]["message_id"]


def test_line_that_a_kill_cut_short_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "telegram.jsonl"
    path.write_bytes(b'{"wall": 1.0, "text": "whole"}\n{"wall": 2.0, "te')
    assert [record["text"] for record in Journal(path).records] == ["whole"]
    assert path.read_bytes().endswith(b"}\n")


async def test_edit_replaces_the_text_and_the_same_text_again_is_refused(served: Served) -> None:
    await served.open_chat()
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Acted", callback_data="a")]])
    async with served.bot() as bot:
        sent = await bot.send_message(CHAT, "old", reply_markup=keyboard)
        edited = await bot.edit_message_text("<b>new</b>", CHAT, sent.message_id, parse_mode="HTML")
        with pytest.raises(BadRequest, match="Message is not modified"):
            await bot.edit_message_text("<b>new</b>", CHAT, sent.message_id, parse_mode="HTML")
    assert (edited.text, edited.reply_markup) == ("new", None)


async def test_buttons_can_be_taken_away_alone(served: Served) -> None:
    await served.open_chat()
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Acted", callback_data="a")]])
    async with served.bot() as bot:
        sent = await bot.send_message(CHAT, "text stays", reply_markup=keyboard)
        edited = await bot.edit_message_reply_markup(CHAT, sent.message_id, reply_markup=None)
    assert (edited.text, edited.reply_markup) == ("text stays", None)


async def test_photo_is_kept_with_its_size_and_caption(served: Served) -> None:
    await served.open_chat()
    async with served.bot() as bot:
        sent = await bot.send_photo(CHAT, BytesIO(PNG), caption="<i>chart</i>", parse_mode="HTML")
    async with served.http.get(f"{served.url}/_sandbox/photos/{sent.photo[-1].file_id}") as response:
        assert await response.read() == PNG
    assert (sent.photo[-1].width, sent.photo[-1].height) == (320, 200)
    assert (sent.caption, sent.caption_entities[0].type) == ("chart", "italic")


async def test_photo_is_sent_again_by_its_id_and_an_unknown_id_is_refused(served: Served) -> None:
    await served.open_chat(CHAT)
    await served.open_chat(CHAT + 1)
    async with served.bot() as bot:
        first = await bot.send_photo(CHAT, BytesIO(PNG))
        again = await bot.send_photo(CHAT + 1, first.photo[-1].file_id, caption="again")
        assert again.photo == first.photo
        with pytest.raises(BadRequest, match=r"(?i)wrong file identifier/http url specified"):
            await bot.send_photo(CHAT, "AgACAgIAAxkBAAI")


@pytest.mark.parametrize(
    ("content", "caption", "refusal"),
    [
        (PNG, "x" * 1025, "caption is too long"),
        (PNG, "😀" * 513, "caption is too long"),
        (b"GIF89a", "", "IMAGE_PROCESS_FAILED"),
        (PNG[:16] + struct.pack(">II", 4000, 100) + PNG[24:], "", "PHOTO_INVALID_DIMENSIONS"),
        (PNG[:16] + struct.pack(">II", 6000, 4001) + PNG[24:], "", "PHOTO_INVALID_DIMENSIONS"),
    ],
)
async def test_photo_beyond_telegrams_limits_is_refused(
    served: Served, content: bytes, caption: str, refusal: str
) -> None:
    await served.open_chat()
    async with served.bot() as bot:
        with pytest.raises(BadRequest, match=f"(?i){refusal}"):
            await bot.send_photo(CHAT, BytesIO(content), caption=caption)
        await bot.send_photo(CHAT, BytesIO(PNG), caption="😀" * 512)


async def test_reply_quotes_its_message_and_one_that_is_gone_is_refused_or_left_out(served: Served) -> None:
    await served.open_chat()
    await served.post("/_sandbox/limits", {"enabled": False})
    async with served.bot() as bot:
        first = await bot.send_message(CHAT, "first")
        reply = await bot.send_message(CHAT, "reply", reply_parameters=ReplyParameters(first.message_id))
        assert reply.reply_to_message.text == "first"
        gone = ReplyParameters(999_999, allow_sending_without_reply=True)
        assert (await bot.send_message(CHAT, "alone", reply_parameters=gone)).reply_to_message is None
        with pytest.raises(BadRequest, match=r"(?i)message to be replied not found"):
            await bot.send_message(CHAT, "refused", reply_parameters=ReplyParameters(999_999))


async def test_button_that_the_message_lacks_cannot_be_pressed(served: Served) -> None:
    await served.open_chat()
    _, _, sent = await served.call("sendMessage", {"chat_id": CHAT, "text": "x"})
    press = {"message_id": sent["result"]["message_id"], "data": "forged"}
    answer = await served.post(f"/_sandbox/chats/{CHAT}/callbacks", press)
    assert answer["error_code"] == 400
