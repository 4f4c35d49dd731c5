"""The seed's endpoints: start, stop and watch autopilots; train, look at and reset their model."""
