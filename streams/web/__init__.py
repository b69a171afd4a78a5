"""What people and programs see over HTTP."""

from streams.web.server import install

__all__ = ["install"]
