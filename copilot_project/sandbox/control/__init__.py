"""The sandbox's own API and pages under `/_sandbox/`."""
