"""xAI and Finnhub as sources of sentiment: their real endpoints and those of the seed document, made-up moods.

A mood is a pure function of seed, base and hour. Whatever is written here says that it is made up.
"""

import asyncio
import json
import math
import zlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from aiohttp import web

from copilot_project.config import SANDBOX_SENTIMENT_KEY
from copilot_project.sandbox.exchange.endpoints import VENUE
from copilot_project.sandbox.exchange.venue import QUOTES
from copilot_project.sandbox.faults import Fault, Faults, Target
from copilot_project.sandbox.market.bars import HOUR_MS
from copilot_project.sandbox.spoiling import HANG_S, spoil

SENTIMENT_FAULTS = web.AppKey("sentiment_faults", Faults)
SEED = web.AppKey("sentiment_seed", int)
HOURS = 24
MOST_ARTICLES = 60
GOOD = ("{name} gains as demand grows", "{name} rallies on inflows", "{name} surges to a higher high")
BAD = ("{name} slips on weak demand", "{name} drops as outflows continue", "{name} plunges after a selloff")
NAMES = {
    "BTC": "Bitcoin",
    "ETH": "Ethereum",
    "SOL": "Solana",
    "XRP": "Ripple",
    "ADA": "Cardano",
    "DOGE": "Dogecoin",
}
SAID = {
    "400": {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***."},
    "410": {"error": "Live search is deprecated. Please switch to the Agent Tools API"},
    "429": {"error": {"message": "Rate limit reached"}},
}
NO_ACCESS = {"error": "You don't have access to this resource."}

Rows = list[dict[str, object]]
Answer = Callable[[web.Request, Fault | None], Awaitable[object]]


def mood_of(seed: int, base: str, hour: int) -> float:
    """-1 to 1; days of one mood, hours that differ a little."""
    phase = zlib.crc32(f"{seed} {base}".encode()) % 1000
    slow, quick = math.sin((hour + phase) / 17), math.sin((hour + phase) / 3)
    return round(0.75 * slow + 0.2 * quick, 3)


async def responses(request: web.Request, fault: Fault | None) -> object:
    """`POST /v1/responses` with x_search: one reading of now for the pair that the question begins with."""
    try:
        asked = await request.json()
        question = str(asked["input"][-1]["content"])
        tools = [tool["type"] for tool in asked["tools"]]
    except (json.JSONDecodeError, KeyError, TypeError, IndexError) as error:
        raise refusal(422, {"error": "Failed to deserialize the JSON body"}) from error
    base = question.partition("/")[0].strip().upper()
    hour = _now(request) // HOUR_MS
    score = mood_of(request.app[SEED], base, hour)
    rows: Rows = [
        {
            "timestamp": _iso(_now(request)),
            "sentiment_score": score,
            "n_posts": 20 + hour % 30,
            "confidence": 0.6,
        }
    ]
    text = json.dumps({"sentiments": spoilt(rows, fault)})
    note = {
        "type": "url_citation",
        "url": f"https://x.com/sandbox/status/{hour}",
        "title": "made up by the sandbox",
    }
    part = {"type": "output_text", "text": text, "annotations": [note] if "x_search" in tools else []}
    return {
        "id": f"resp_sandbox_{hour}",
        "object": "response",
        "status": "completed",
        "output": [
            {"type": "custom_tool_call", "name": "x_keyword_search", "status": "completed"},
            {"type": "message", "role": "assistant", "content": [part]},
        ],
        "usage": {"input_tokens": 900, "output_tokens": 60, "cost_in_usd_ticks": 41_215_000},
    }


async def xai_seed(request: web.Request, fault: Fault | None) -> object:
    base = request.query.get("pair", "").partition("/")[0].upper()
    return {"sentiments": _series(request, base, "x", fault)}


async def finnhub_seed(request: web.Request, fault: Fault | None) -> object:
    symbol = request.query.get("symbol", "").upper()
    return {"symbol": symbol, "sentiment": _series(request, symbol, "news", fault)}


async def news(request: web.Request, fault: Fault | None) -> object:
    """Headlines of the venue's assets, a few an hour, newest first as Finnhub tells them."""
    category, now = request.query.get("category", "general"), _now(request)
    articles: Rows = []
    for place, base in enumerate(_bases(request) if category == "crypto" else ()):
        for ago in range(0, HOURS, 4):
            hour = now // HOUR_MS - ago
            mood = mood_of(request.app[SEED], base, hour)
            kind = GOOD if mood > 0 else BAD
            headline = kind[min(int(abs(mood) * 3), 2)].format(name=NAMES.get(base, base))
            articles.append(
                {
                    "category": category,
                    "datetime": (hour * HOUR_MS) // 1000,
                    "headline": headline,
                    "id": hour * 100 + place,
                    "image": "",
                    "related": base,
                    "source": "Sandbox, made up",
                    "summary": "Made up by the sandbox.",
                    "url": f"https://news.example/{hour}/{base}",
                }
            )
    if fault and fault.description:
        articles = [article | {"headline": fault.description} for article in articles]
    newest = sorted(articles, key=lambda each: int(str(each["datetime"])), reverse=True)
    return [] if fault and fault.kind == "empty" else newest[:MOST_ARTICLES]


def _series(request: web.Request, base: str, origin: str, fault: Fault | None) -> Rows:
    newest = _now(request) // HOUR_MS
    rows: Rows = [
        {
            "timestamp": _iso((newest - ago) * HOUR_MS),
            "sentiment_score": mood_of(
                request.app[SEED], f"{base}{'' if origin == 'x' else ' '}", newest - ago
            ),
        }
        for ago in reversed(range(HOURS))
    ]
    return spoilt(rows, fault)


def spoilt(rows: Rows, fault: Fault | None) -> Rows:
    """Readings as a vendor in trouble gives them: none, out of range, or at times without an offset."""
    if fault is None or fault.kind not in ("empty", "range", "naive"):
        return rows
    if fault.kind == "empty":
        return []
    if fault.kind == "range":
        return [row | {"sentiment_score": 7.5} for row in rows]
    return [row | {"timestamp": str(row["timestamp"]).removesuffix("Z")} for row in rows]


def refusal(status: int, body: object, headers: dict[str, str] | None = None) -> web.HTTPException:
    error = web.HTTPException(text=json.dumps(body), content_type="application/json", headers=headers)
    error.set_status(status)
    return error


def _endpoint(
    target: Target, name: str, answer: Answer
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        fault = request.app[SENTIMENT_FAULTS].strike(target, name)
        if fault is not None and fault.kind.isdigit():
            told = {"Retry-After": str(fault.retry_after)} if fault.kind == "429" else None
            raise refusal(int(fault.kind), SAID.get(fault.kind, NO_ACCESS), told)
        if not _has_key(request, target):
            raise refusal(400 if target == "xai" else 401, SAID["400"] if target == "xai" else NO_ACCESS)
        if fault is not None and fault.kind == "hang":
            await asyncio.sleep(min(fault.seconds, HANG_S))
        response = web.json_response(await answer(request, fault))
        return (
            await spoil(request, fault, response)
            if fault and fault.kind in ("close", "garbage", "late")
            else response
        )

    return handle


def _has_key(request: web.Request, target: Target) -> bool:
    if target == "xai":
        return request.headers.get("Authorization") == f"Bearer {SANDBOX_SENTIMENT_KEY}"
    sent = request.headers.get("X-Finnhub-Token") or request.query.get("token")
    return sent == SANDBOX_SENTIMENT_KEY


def _bases(request: web.Request) -> list[str]:
    found = []
    for symbol in request.app[VENUE].market.symbols:
        quote = next((each for each in QUOTES if symbol.endswith(each) and len(symbol) > len(each)), "")
        found.append(symbol.removesuffix(quote))
    return found


def _now(request: web.Request) -> int:
    return request.app[VENUE].timeline.now_ms()


def _iso(moment_ms: int) -> str:
    return f"{datetime.fromtimestamp(moment_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def add_sentiment(app: web.Application, faults: Faults, seed: int) -> None:
    app[SENTIMENT_FAULTS], app[SEED] = faults, seed
    app.add_routes(
        [
            web.post("/xai/v1/responses", _endpoint("xai", "responses", responses)),
            web.get("/xai/v1/sentiment", _endpoint("xai", "sentiment", xai_seed)),
            web.get("/finnhub/api/v1/news", _endpoint("finnhub", "news", news)),
            web.get("/finnhub/api/v1/news-sentiment", _endpoint("finnhub", "news-sentiment", finnhub_seed)),
        ]
    )
