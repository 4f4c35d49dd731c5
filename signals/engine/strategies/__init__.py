"""All strategies by name. They know nothing of each other; adding one is a file and a line here.

LISTENERS read the others' votes: whoever asks all strategies asks them last (engine/hybrid).
"""

from collections.abc import Mapping
from types import MappingProxyType

from signals.engine.strategies.bollinger_mean_reversion import BollingerMeanReversion
from signals.engine.strategies.confirmed import Confirmed
from signals.engine.strategies.consensus import Consensus
from signals.engine.strategies.dca import DollarCostAveraging
from signals.engine.strategies.divergence import DivergenceReversal
from signals.engine.strategies.grid import GridTrading
from signals.engine.strategies.macd import Macd
from signals.engine.strategies.market_making import MarketMaking
from signals.engine.strategies.momentum import Momentum
from signals.engine.strategies.moving_average import MovingAverage
from signals.engine.strategies.pairs_trading import PairsTrading
from signals.engine.strategies.rsi import Rsi
from signals.engine.strategies.sentiment import Sentiment
from signals.engine.strategies.volatility_breakout import VolatilityBreakout
from signals.engine.strategy import Strategy

_ALL: tuple[Strategy, ...] = (
    MovingAverage(),
    Macd(),
    Confirmed(),
    Rsi(),
    BollingerMeanReversion(),
    GridTrading(),
    DivergenceReversal(),
    Momentum(),
    VolatilityBreakout(),
    MarketMaking(),
    DollarCostAveraging(),
    Sentiment(),
    PairsTrading(),
    Consensus(),
)
STRATEGIES: Mapping[str, Strategy] = MappingProxyType({strategy.name: strategy for strategy in _ALL})
LISTENERS = ("confirmed", "consensus")
