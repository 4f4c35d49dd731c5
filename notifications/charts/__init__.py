"""Pictures of signals. The only room that imports matplotlib, and only the worker enters it."""
