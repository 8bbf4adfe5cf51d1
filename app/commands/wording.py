"""PURE: words around numbers."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """`1 alarm`, `2 alarms`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
