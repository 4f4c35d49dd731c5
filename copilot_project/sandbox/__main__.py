"""`python -m copilot_project.sandbox`: one process, loopback only."""

import argparse
import asyncio
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from copilot_project.sandbox.app import build_app
from copilot_project.sandbox.certificate import serving
from copilot_project.sandbox.config import DEFAULT_TOKEN, SandboxConfig, SandboxError, SendLimits
from copilot_project.sandbox.exchange.opening import open_venue
from copilot_project.sandbox.exchange.venue import Venue


def parse(arguments: list[str]) -> SandboxConfig:
    """Command line over environment over defaults. Raises SandboxError for values that cannot work."""
    env = os.environ
    state_home = Path(env.get("COPILOT_STATE_DIR") or ".copilot")
    public_url = env.get("PUBLIC_URL", "").rstrip("/")
    parser = argparse.ArgumentParser(prog="python -m copilot_project.sandbox", description=__doc__)
    parser.add_argument(
        "--port", type=int, default=int(env.get("SANDBOX_PORT") or 8900), help="0 picks a free one"
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument(
        "--state", type=Path, default=state_home / "sandbox", help="folder for journals and updates"
    )
    parser.add_argument(
        "--data", type=Path, default=env.get("SANDBOX_DATA") or None, help="folder of Parquet candles"
    )
    parser.add_argument(
        "--time", choices=["shifted", "recorded"], default=env.get("SANDBOX_TIME") or "shifted"
    )
    parser.add_argument(
        "--start", help="ISO instant at which recorded time begins; default: the end of the data"
    )
    parser.add_argument("--shift", type=int, help="whole days; default: chosen so that something happens")
    parser.add_argument("--seed", type=int, default=7, help="of the simulated market and of chance in faults")
    parser.add_argument("--webhook-url", default=f"{public_url}/telegram/webhook" if public_url else "")
    parser.add_argument("--webhook-secret", default=env.get("TELEGRAM_WEBHOOK_SECRET", ""))
    parser.add_argument("--token", default=env.get("TELEGRAM_BOT_TOKEN") or DEFAULT_TOKEN)
    parser.add_argument("--no-limits", action="store_true", help="switch Telegram's message limits off")
    parser.add_argument("--record-calls", action="store_true", help="write refused calls down as well")
    parser.add_argument(
        "--tls", action="store_true", help="a second port that speaks HTTPS; trust certificate.pem in --state"
    )
    asked = parser.parse_args(arguments)
    return SandboxConfig(
        state=asked.state,
        host=asked.host,
        port=asked.port,
        data=Path(asked.data) if asked.data else None,
        time_mode=asked.time,
        start_ms=_instant_ms(asked.start) if asked.start else None,
        shift_days=asked.shift,
        seed=asked.seed,
        webhook_url=asked.webhook_url,
        webhook_secret=asked.webhook_secret,
        token=asked.token,
        limits=None if asked.no_limits else SendLimits(),
        record_calls=asked.record_calls,
        tls=asked.tls,
        accounts=_addresses(env.get("ADMIN_EMAILS", "")),
    )


def _addresses(text: str) -> tuple[str, ...]:
    return tuple(address.strip() for address in text.split(",") if address.strip()) or ("admin@example.com",)


def _instant_ms(text: str) -> int:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise SandboxError(
            f"--start {text} is not an ISO instant such as 2025-10-10T20:00:00+00:00."
        ) from error
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return int(aware.timestamp() * 1000)


async def serve(config: SandboxConfig) -> None:
    """Listen until SIGINT or SIGTERM. Raises SandboxError when port or state cannot be used."""
    venue, choice = open_venue(config)
    say(f"market: {venue.label}" + (f" ({choice})" if choice else ""))
    runner = _runner(config, venue)
    try:
        await _listen(runner, config)
        if config.tls:
            say(f"tls https://{config.host}:{runner.addresses[1][1]}")
        say(f"ready http://{config.host}:{runner.addresses[0][1]}")
        stop = asyncio.Event()
        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, stop.set)
        await stop.wait()
    finally:
        await runner.cleanup()


def _runner(config: SandboxConfig, venue: Venue) -> web.AppRunner:
    try:
        return web.AppRunner(build_app(config, venue), access_log=None, shutdown_timeout=1.0)
    except OSError as error:
        raise SandboxError(f"--state {config.state} cannot be written: {error}") from error


async def _listen(runner: web.AppRunner, config: SandboxConfig) -> None:
    await runner.setup()
    try:
        await web.TCPSite(runner, config.host, config.port, reuse_address=True).start()
        if config.tls:
            await web.TCPSite(runner, config.host, 0, ssl_context=serving(config.state)).start()
    except OSError as error:
        hint = "choose another with --port or SANDBOX_PORT, or stop what uses it"
        raise SandboxError(f"port {config.port} cannot be opened ({error.strerror}): {hint}.") from error


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    os.umask(0o077)  # chats, photos and updates are nobody else's
    try:
        asyncio.run(serve(parse(sys.argv[1:])))
    except SandboxError as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
