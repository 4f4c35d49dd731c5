"""Telegram's HTML parse mode: text and entities, or the refusal that Telegram gives."""

import html
import re
from dataclasses import dataclass

from copilot_project.sandbox.telegram.errors import TelegramError, bad_request

Entity = dict[str, object]

TAG_TYPES = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "a": "text_link",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
}
PIECE = re.compile(
    r"<(?P<close>/)?(?P<tag>[a-zA-Z][a-zA-Z0-9-]*)(?P<attributes>[^<>]*)>|(?P<stray><)|(?P<text>[^<]+)"
)
ATTRIBUTE = re.compile(r"""([a-zA-Z-]+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+))?""")
REFERENCE = re.compile(r"&(lt|gt|amp|quot|#[0-9]+|#x[0-9a-fA-F]+);")
COMMAND = re.compile(r"(?<![\w/])/[a-zA-Z0-9_]{1,32}(?!\w)")
LINK = re.compile(r"https?://[^\s<>\"]+")


@dataclass
class _Open:
    tag: str
    attributes: dict[str, str]
    offset: int


def utf16_length(text: str) -> int:
    """Length in UTF-16 units, which is how Telegram counts."""
    return len(text.encode("utf-16-le")) // 2


def parse_html(source: str) -> tuple[str, list[Entity]]:
    """Plain text and its entities (UTF-16 offsets). Raises TelegramError `can't parse entities: …`."""
    text, entities, stack = "", [], list[_Open]()
    for match in PIECE.finditer(source):
        at = len(source[: match.start()].encode())
        if match["text"]:
            text += REFERENCE.sub(lambda found: html.unescape(found[0]), match["text"])
        elif match["stray"]:
            raise _cannot_parse(f"Unclosed start tag at byte offset {at}")
        elif match["close"]:
            entities += _close(stack, match["tag"].lower(), at, text)
        else:
            stack.append(_open(match, at, utf16_length(text)))
    if stack:
        raise _cannot_parse(f'Can\'t find end tag corresponding to start tag "{stack[-1].tag}"')
    return text, entities


def _open(match: re.Match[str], at: int, offset: int) -> _Open:
    tag = match["tag"].lower()
    attributes = {
        name.lower(): html.unescape(value.strip("\"'"))
        for name, value in ATTRIBUTE.findall(match["attributes"])
    }
    if tag not in TAG_TYPES:
        raise _cannot_parse(f'Unsupported start tag "{tag}" at byte offset {at}')
    if tag == "span" and attributes.get("class") != "tg-spoiler":
        raise _cannot_parse(f'Tag "span" must have class "tg-spoiler" at byte offset {at}')
    return _Open(tag, attributes, offset)


def _close(stack: list[_Open], tag: str, at: int, text: str) -> list[Entity]:
    if not stack:
        raise _cannot_parse(f"Unexpected end tag at byte offset {at}")
    opened = stack.pop()
    if opened.tag != tag:
        raise _cannot_parse(
            f'Unmatched end tag at byte offset {at}, expected "</{opened.tag}>", found "</{tag}>"'
        )
    length = utf16_length(text) - opened.offset
    entity: Entity = {"offset": opened.offset, "length": length, "type": TAG_TYPES[tag]}
    if tag == "a":
        entity["url"] = opened.attributes.get("href", "")
    unlinked = tag == "a" and not str(entity["url"]).startswith(("http://", "https://", "tg://", "mailto:"))
    return [] if unlinked or not length else [entity]


def find_entities(text: str) -> list[Entity]:
    """Commands and web addresses, which Telegram finds by itself in any text."""
    found = [("bot_command", match) for match in COMMAND.finditer(text)]
    found += [("url", match) for match in LINK.finditer(text)]
    return [
        {"offset": utf16_length(text[: match.start()]), "length": utf16_length(match[0]), "type": kind}
        for kind, match in sorted(found, key=lambda pair: pair[1].start())
    ]


def _cannot_parse(reason: str) -> TelegramError:
    return bad_request(f"can't parse entities: {reason}")
