"""Numbers as options have them: within bounds, and finite."""

from __future__ import annotations

import math

import click

__all__ = ["Number"]


class Number(click.ParamType):  # type: ignore[type-arg]  # none before 8.2
    """Take a number between two bounds, which are in it; refuse anything else.

    whole: one without a fraction.
    """

    name = "number"

    def __init__(self, low: float, high: float, *, whole: bool = False) -> None:
        self.low = low
        self.high = high
        self.whole = whole

    def convert(
        self,
        value: str | float,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """Return the number. A NaN is between no bounds."""
        number: float
        try:
            number = int(value) if self.whole else float(value)
        except (ValueError, OverflowError):
            number = math.nan
        if not self.low <= number <= self.high:
            what = "whole number" if self.whole else "number"
            bounds = f"from {self.low:.15g} to {self.high:.15g}"
            self.fail(f"{value!r}; expected a {what} {bounds}", param, ctx)
        return number
