"""A signal, and what became of it, as one subscriber reads it. Pure: everything comes in, nothing is looked up."""
