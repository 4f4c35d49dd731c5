"""The exchange's public side: its clock, what is traded there, market data in Binance's dialect."""
