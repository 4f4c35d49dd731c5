"""What `manage.py stress_test` is made of: a place of its own, the load, and the verdict."""
