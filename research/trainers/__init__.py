"""Fits what needs torch; only the training worker imports it."""
