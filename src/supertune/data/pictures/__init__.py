"""Pictures: decoding, readers and checks."""
