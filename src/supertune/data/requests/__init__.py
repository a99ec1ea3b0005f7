"""Requests and their answers: conversations, instructions, columns, checks."""
