"""From retrieved records to a prompt, and from a reply to an action."""
