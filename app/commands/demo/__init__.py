"""`tocsin demo`: a ward of six beds on a server of its own, to look at and to write clients against.

Everything here knows Tocsin only by its contract: it signs in, sends, follows and acknowledges as anybody would.
"""

from app.commands.demo.command import demo

__all__ = ["demo"]
