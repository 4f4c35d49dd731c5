"""`manage.py demo --story`: one managed signal from its entry to its exit, told by the real services in minutes.

The candles are recorded ones of a folder, else the sandbox's simulated ones, and every label says which. They lie in
the past, so the clocks of the stand-ins (exchange, Telegram) and of the story's own database are turned on by hand
from one 4h close to the next. Decision, ledger, deliveries, stops and outcome are made by the code of live.
"""
