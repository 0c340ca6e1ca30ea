"""Real checkpoints and data that ordinary wheels carry."""
