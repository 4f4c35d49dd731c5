class EmbeddedError(Exception):
    """A service cannot be used; the message is one line that says what is wrong and what to do."""
