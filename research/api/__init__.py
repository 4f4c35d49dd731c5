"""The integrators' API: what the system published, as late as the key's tier gets it."""
