"""The chat page and its static files."""

from pathlib import Path

from aiohttp import web

FOLDER = Path(__file__).parent / "static"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


async def chat_page(request: web.Request) -> web.FileResponse:
    return web.FileResponse(FOLDER / "index.html", headers=HEADERS)


def add_pages(app: web.Application) -> None:
    app.router.add_get("/", chat_page)
    app.router.add_static("/_sandbox/pages", FOLDER)
