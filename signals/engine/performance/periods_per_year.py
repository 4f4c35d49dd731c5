from signals.engine.session import AssetClass
from signals.engine.timeframe import Timeframe

MINUTES_OF_A_YEAR = {
    AssetClass.CRYPTO: 365 * 24 * 60,
    AssetClass.FOREX: 52 * 5 * 24 * 60,
    AssetClass.STOCK: 252 * 390,
}
DAYS_OF_A_YEAR = {AssetClass.CRYPTO: 365, AssetClass.FOREX: 260, AssetClass.STOCK: 252}


def periods_per_year(timeframe: Timeframe, asset_class: AssetClass) -> float:
    """Bars of a year by the market's calendar: crypto 365 days of 24 h, forex 52 weeks of 5 days of 24 h,
    stocks 252 days of 6.5 h."""
    if timeframe is Timeframe.D1:
        return float(DAYS_OF_A_YEAR[asset_class])
    return MINUTES_OF_A_YEAR[asset_class] * 60 / timeframe.seconds
