"""Translators: an encoder that reads a text, a decoder that writes it in another language."""
