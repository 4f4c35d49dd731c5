"""The integrators' API: what the house published, as late as the key's tier gets it."""
