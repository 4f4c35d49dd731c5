"""Steps of the trading environment and of training: ours against gym-anytrading in stable-baselines3's usual set-up.

    python benchmarks/rl.py [--markdown docs/benchmarks.md] [--curves STEPS]

Our environment has 32 features and the fill engine's costs; its numbers are first shown to be those of the same market
as a scalar gymnasium Env. The usual set-up is DummyVecEnv of one monitored gym-anytrading StocksEnv. --curves trains
both presets on markets of known optimum: the default one environment for STEPS steps, as in the usual set-up, the
large batch 64 of them for LONGER times as many, and says whether it reached what the default earned in less time.
The peer is pinned in benchmarks/requirements-rl.txt.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from gym_anytrading.envs import StocksEnv
from harness import Contender, commit, goal_line, interleave, machine, verdict, write_section
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv

from research.trainers.known_optima import learn_autoregressive, learn_regimes
from research.trainers.markets import MarketEnv, MarketVecEnv
from research.trainers.reinforcement import make_model
from signals.engine.candle import OHLCV
from signals.engine.trading_env import MarketBatch

BEGIN, END = "<!-- rl.py -->", "<!-- end of rl.py -->"
BARS, FEATURES, WINDOW = 20_000, 32, 10
MANY, LONGER = 8, 4


def market() -> tuple[OHLCV, np.ndarray]:
    rng = np.random.default_rng(1)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.005, BARS)))
    opened = np.concatenate(([100.0], close[:-1]))
    bars = OHLCV(
        np.arange(BARS) * 3_600_000,
        opened,
        np.maximum(opened, close),
        np.minimum(opened, close),
        close,
        np.ones(BARS),
    )
    return bars, rng.normal(size=(BARS, FEATURES))


def ours(episodes: int, length: int | None = 256) -> MarketVecEnv:
    bars, features = market()
    return MarketVecEnv(MarketBatch(bars, features, episodes, length=length, scale=200.0), 0)


def usual() -> DummyVecEnv:
    frame = pd.DataFrame({"Close": market()[0].close})
    return DummyVecEnv([lambda: Monitor(StocksEnv(df=frame, window_size=WINDOW, frame_bound=(WINDOW, BARS)))])


def prove_equal() -> int:
    bars, features = market()
    alone = MarketEnv(MarketBatch(bars, features, 1, length=None, scale=200.0))
    many, rng = ours(16, None), np.random.default_rng(2)
    first, seen = alone.reset(seed=0)[0], many.reset()
    assert (seen == first).all()
    for _ in range(2_000):
        action = int(rng.integers(3))
        one, reward, *_ = alone.step(np.int64(action))
        seen, rewards, _, _ = many.step(np.full(16, action))
        assert (seen == one).all()
        assert np.float32(reward) == rewards[0]
    return 2_000


def steps_of(env: MarketVecEnv | DummyVecEnv, count: int) -> Contender:
    env.reset()
    actions = np.random.default_rng(0).integers(0, 2, (64, env.num_envs))

    def run() -> None:
        for number in range(count):
            env.step(actions[number & 63])

    return Contender("", run, count * env.num_envs)


def environment_lines(rounds: int) -> list[str]:
    peer, mine = steps_of(usual(), 3_000), steps_of(ours(256), 1_000)
    interleave([peer, mine], rounds)
    return [
        f"Equal to our scalar Env over {prove_equal():,} steps: observations and rewards.",
        "",
        "| environment | steps/s |",
        "|---|---:|",
        f"| gym-anytrading in DummyVecEnv | {peer.rate:,.0f} |",
        f"| MarketVecEnv, 256 episodes, {FEATURES} features, costs | {mine.rate:,.0f} |",
        "",
        verdict("environment", mine.rate / peer.rate, 50),
    ]


def training(algorithm: str, rounds: int) -> list[str]:
    """Steps a second of processor time while learning, everybody on one thread; models are warm before they are timed.

    Torch's own number of threads would flatter us: on a machine that does other work too, they wait for one another.
    """
    kind = {"ppo": PPO, "dqn": DQN}[algorithm]
    peer = kind("MlpPolicy", usual(), seed=0, **({"buffer_size": 100_000} if algorithm == "dqn" else {}))
    mine = make_model(ours(MANY), algorithm=algorithm, timesteps=100_000, preset="default", seed=0)
    if isinstance(mine, DQN):
        mine.gradient_steps = MANY  # as many steps of the optimiser for what is seen as with one environment
    large = make_model(ours(64), algorithm=algorithm, timesteps=500_000, preset="large_batch", seed=0)
    asked = {
        "usual": (peer, 2_048),
        "ours, stable-baselines3's own": (mine, 16_384 if algorithm == "ppo" else 4_096),
        "ours, large batch": (large, 16_384),
    }
    torch.set_num_threads(1)
    rates: dict[str, list[float]] = {name: [] for name in asked}
    for number in range(rounds + 1):
        for name, (model, steps) in asked.items():
            before, begun = model.num_timesteps, time.process_time()
            model.learn(steps, reset_num_timesteps=number == 0)
            done = model.num_timesteps - (before if number else 0)
            if number:
                rates[name].append(done / (time.process_time() - begun))
            print(f"{algorithm}: round {number} of {rounds}, {name}: {rates[name][-1:]}", file=sys.stderr)
    medians = {name: statistics.median(each) for name, each in rates.items()}
    base, own, big = medians.values()
    goals = {"ppo": (1.8, 15), "dqn": (1.3, 20)}[algorithm]
    return [
        f"| {algorithm.upper()} | timesteps/s of processor time |",
        "|---|---:|",
        *(f"| {name} | {rate:,.0f} |" for name, rate in medians.items()),
        "",
        verdict(f"{algorithm.upper()}, stable-baselines3's hyper-parameters", own / base, goals[0]),
        verdict(f"{algorithm.upper()}, large batch", big / base, goals[1]),
        "",
    ]


def curve_lines(steps: int) -> list[str]:
    """The default alone in its market as in the usual set-up, the large batch in 64: what each earned, and when."""
    lines = [
        "| market | training | steps | seconds | of processor time | of the optimum |",
        "|---|---|---:|---:|---:|---:|",
    ]
    verdicts = []
    for market, learn, more in (
        ("AR(1)", learn_autoregressive, {}),
        ("regimes at 0.7 of the break-even cost", learn_regimes, {"cost_share": 0.7}),
    ):
        for algorithm in ("ppo", "dqn"):
            measured = []
            for preset, episodes, count in (("default", 1, steps), ("large_batch", 64, steps * LONGER)):
                begun, cpu = time.perf_counter(), time.process_time()
                found = learn(
                    algorithm=algorithm,
                    timesteps=count,
                    preset=preset,
                    episodes=episodes,
                    test_rows=20_000,
                    **more,
                )
                wall, busy = time.perf_counter() - begun, time.process_time() - cpu
                measured.append((found.earned, wall, busy))
                lines.append(
                    f"| {market} | {algorithm.upper()}, {preset} | {count:,} | {wall:.0f} | {busy:.0f} "
                    f"| {found.share:.1%} |"
                )
                print(lines[-1], file=sys.stderr)
            (default, slow, _), (large, fast, _) = measured
            verdicts.append(
                goal_line(
                    f"{algorithm.upper()} on {market}: the large batch reaches the default's return in less time",
                    reached=large >= default and fast < slow,
                )
            )
    return [*lines, "", *verdicts, ""]


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--markdown", type=Path)
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--curves", type=int, default=0, metavar="STEPS")
    chosen = asked.parse_args()
    lines = environment_lines(chosen.rounds)
    for algorithm in ("ppo", "dqn"):
        lines += ["", *training(algorithm, max(chosen.rounds // 2, 1))]
    if chosen.curves:
        lines += curve_lines(chosen.curves)
    head = [BEGIN, "", "## Reinforcement learning", "", f"`benchmarks/rl.py` at {commit()}. {machine()}.", ""]
    section = "\n".join([*head, *lines, "", END, ""])
    print(section)
    if chosen.markdown:
        write_section(chosen.markdown, section, BEGIN, END)
    return int("MISSED" in section)


if __name__ == "__main__":
    raise SystemExit(main())
