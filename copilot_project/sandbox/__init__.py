"""Stand-ins for the outside world on loopback: exchange, Telegram, Google. The product never imports this."""
