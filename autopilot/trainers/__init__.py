"""Fits the models of the autopilot. LightGBM is imported inside functions: its threads do not survive a fork."""
