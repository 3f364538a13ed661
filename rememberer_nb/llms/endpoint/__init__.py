"""OpenAI-compatible endpoints: the client, and all that can go wrong on the way."""
