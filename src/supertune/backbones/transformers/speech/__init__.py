"""Models of transformers that write down speech: an encoder of a window of sound with a decoder, or
one of samples with a CTC head."""
