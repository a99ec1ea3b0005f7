"""Detectors of transformers that answer a picture with a fixed number of queries (DETR and its
descendants, Carion et al. 2020, arXiv:2005.12872), by folder or hub id."""
