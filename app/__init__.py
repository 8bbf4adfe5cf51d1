"""Tocsin: vital signs in, alerts out, to the right people, with nothing lost on the way."""

__version__ = "0.1.0"
