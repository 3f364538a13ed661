"""What recorded episodes and memories say, with intervals."""
