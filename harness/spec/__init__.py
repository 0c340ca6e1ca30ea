"""What a user asks for, read from YAML and checked."""
