"""Telegram: the Bot API, its chats, limits and payments, and updates on their way to the bot."""
