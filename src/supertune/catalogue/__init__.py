"""Which pretrained models and data sets exist, where they come from, and fetching them."""
