"""The bot: a registry of commands and of buttons, a file for each command, and the router between them."""
