"""A time as an option of a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from streams.core.instants import parsed

if TYPE_CHECKING:
    from streams.core.events import Instant


class InstantType(click.ParamType):
    """A time, as instants are written here."""

    name = "instant"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Instant:
        """Return the instant that the text names; a day is its beginning."""
        written = str(value)
        try:
            return parsed(f"{written}T00:00:00Z" if len(written) == 10 else written)
        except ValueError:
            self.fail("no day, and not ISO 8601 with an offset, such as 2026-05-15", param, ctx)
