"""What the autopilot does: accounts, orders, and the broker that fills them on paper."""
