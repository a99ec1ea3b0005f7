"""Recordings: files, tables and transcripts of them, decoded to 16 kHz mono."""
