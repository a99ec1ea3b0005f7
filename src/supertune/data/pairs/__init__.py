"""Texts and their translations: files that hold them, columns, checks."""
