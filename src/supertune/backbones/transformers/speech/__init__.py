"""Models of transformers that write down speech: an encoder of a window of sound, and a decoder."""
