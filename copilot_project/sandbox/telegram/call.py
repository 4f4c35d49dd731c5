"""One call of the Bot API: its parameters, whichever way they were posted."""

import json
from dataclasses import dataclass, field

from aiohttp import web

from copilot_project.sandbox.telegram.errors import bad_request

MAX_BUTTON_BYTES = 64


@dataclass(frozen=True)
class Call:
    """Parameters as text or JSON values; `files` are uploaded parts by name, `names` what they are called."""

    method: str
    values: dict[str, object]
    files: dict[str, bytes] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    @property
    def chat_id(self) -> int | None:
        try:
            return int(str(self.values.get("chat_id")))
        except ValueError:
            return None

    def text(self, name: str) -> str:
        value = self.values.get(name)
        return "" if value is None else str(value)

    def number(self, name: str, default: int = 0) -> int:
        """Raises TelegramError when it is not a whole number."""
        try:
            return int(self.text(name) or default)
        except ValueError:
            raise bad_request(f"field '{name}' must be of type Number") from None

    def flag(self, name: str) -> bool:
        return self.text(name).lower() in ("true", "1", "yes")

    def parsed(self, name: str) -> object:
        """A JSON parameter; None when absent. Raises TelegramError when it is not JSON."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            raise bad_request(f"can't parse {name.replace('_', ' ')} JSON object") from None

    def keyboard(self) -> dict[str, object] | None:
        """The inline keyboard. Raises TelegramError when it has no valid shape or button."""
        markup = self.parsed("reply_markup")
        if markup is None:
            return None
        if not isinstance(markup, dict):
            raise bad_request("object expected as reply markup")
        for row in markup.get("inline_keyboard", []):
            for button in row:
                _check_button(button)
        return markup if "inline_keyboard" in markup else None


def _check_button(button: dict[str, object]) -> None:
    if not button.get("text"):
        raise bad_request('can\'t parse inline keyboard button: Field "text" must be of type String')
    if "callback_data" in button and not 1 <= len(str(button["callback_data"]).encode()) <= MAX_BUTTON_BYTES:
        raise bad_request("BUTTON_DATA_INVALID")
    if not any(kind in button for kind in ("callback_data", "url", "copy_text", "web_app", "pay")):
        raise bad_request(
            "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"
        )


async def read_call(request: web.Request) -> Call:
    """Query, form, multipart and JSON parameters together. Raises TelegramError for broken JSON."""
    values: dict[str, object] = dict(request.query)
    files: dict[str, bytes] = {}
    names: dict[str, str] = {}
    if request.content_type == "application/json" and request.can_read_body:
        values |= _object(await request.text())
    else:
        for name, value in (await request.post()).items():
            if isinstance(value, web.FileField):
                files[name], names[name] = value.file.read(), value.filename
            else:
                values[name] = value if isinstance(value, str) else bytes(value).decode()
    return Call(request.match_info["method"], values, files, names)


def _object(body: str) -> dict[str, object]:
    try:
        found = json.loads(body)
    except json.JSONDecodeError:
        raise bad_request("can't parse JSON object") from None
    if not isinstance(found, dict):
        raise bad_request("object expected")
    return found
