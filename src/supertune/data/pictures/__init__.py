"""Pictures: where they come from, decoding, copies among them, and how they are made."""
