"""What the shape of the bars says: candlesticks, divergences, levels, anomalies. Each row knows its past only."""
