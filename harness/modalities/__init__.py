"""How raw texts, pictures and sounds become tensors."""
