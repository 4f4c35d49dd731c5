"""Translations without gettext's binaries: .po files read, .mo files written, marked texts collected."""

import ast
import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from django.utils.translation.template import templatize

TEMPLATES = "templates/notifications/telegram"
SOURCES = ("notifications", "users/engine")
FUNCTIONS = ("gettext", "gettext_noop", "_", "gettext_lazy")
MAGIC = 0x950412DE
LITERAL = r"""u?('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
PLURAL = re.compile(rf"\bngettext\({LITERAL}, {LITERAL}, ")
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


def read_po(text: str) -> dict[str, str]:
    """Translations by their English text; the head stands under "". ValueError for a line that is none of a .po.

    Of a text with a plural both keys and values are joined by NUL, as gettext keeps them.
    """
    entries: dict[str, str] = {}
    parts: dict[str, str] = {}
    name = ""
    for line in [*text.splitlines(), ""]:
        line = line.strip()  # noqa: PLW2901
        if line.startswith(("msgid ", "msgstr ")):
            name = line.split(" ", 1)[0]
            if name == "msgid" and "msgstr" in parts:
                entries[parts["msgid"]] = parts["msgstr"]
                parts = {}
            parts[name] = _unquoted(line)
        elif line.startswith(("msgid_plural ", "msgstr[")):
            name = "msgid" if line.startswith("msgid_plural ") else "msgstr"
            parts[name] = f"{parts[name]}\0{_unquoted(line)}" if name in parts else _unquoted(line)
        elif line.startswith('"') and name:
            parts[name] += _unquoted(line)
        elif line and not line.startswith("#"):
            raise ValueError(f"not a line of a .po file: {line}")
    if "msgstr" in parts:
        entries[parts["msgid"]] = parts["msgstr"]
    return entries


def _unquoted(line: str) -> str:
    found = QUOTED.search(line)
    if found is None:
        raise ValueError(f"a .po file quotes its texts: {line}")
    return str(ast.literal_eval(f'"{found.group(1)}"'))


def mo_bytes(entries: Mapping[str, str]) -> bytes:
    """The catalogue as gettext reads it; what is not translated yet is left out."""
    texts = sorted((key.encode(), value.encode()) for key, value in entries.items() if value)
    start = 7 * 4 + 16 * len(texts)
    ids = b"".join(key + b"\0" for key, _ in texts)
    table, offset = [], start
    for key, _ in texts:
        table.append((len(key), offset))
        offset += len(key) + 1
    for _, value in texts:
        table.append((len(value), offset))
        offset += len(value) + 1
    head = struct.pack("<7I", MAGIC, 0, len(texts), 28, 28 + 8 * len(texts), 0, start)
    return (
        head
        + b"".join(struct.pack("<2I", *each) for each in table)
        + ids
        + b"".join(v + b"\0" for _, v in texts)
    )


def to_translate(root: Path) -> set[str]:
    """Every text of the bot that is marked: in its templates and in its code."""
    found: set[str] = set()
    for path in sorted((root / TEMPLATES).iterdir()):
        found |= set(_marked(templatize(path.read_text(), origin=str(path))))
    for folder in SOURCES:
        for path in sorted((root / folder).rglob("*.py")):
            found |= set(_marked(path.read_text()))
    return found


def _marked(code: str) -> Iterator[str]:
    """What is given to gettext; of a template only those calls are code."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError):
        for found in PLURAL.finditer(code):
            yield "\0".join(str(ast.literal_eval(text)) for text in found.groups())
        for found in re.finditer(r"""\bgettext\(u?('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")\)""", code):
            yield str(ast.literal_eval(found.group(1)))
        return
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in FUNCTIONS
            and node.args
        ):
            text = node.args[0]
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                yield text.value
