"""From a winner to a model that anybody can load."""
