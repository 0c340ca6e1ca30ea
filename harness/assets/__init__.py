"""Real checkpoints and data that ordinary wheels carry; `harness.assets.store` is the door."""
