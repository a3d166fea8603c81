"""Types of values on the command line."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

import click

_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


class PointInTime(click.ParamType[datetime]):
    """A command-line value: a day, a time, or an age such as 7d."""

    name = "time"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """The time in UTC; `2025-06-18` and `2025-06-18T06:00` are in the local zone."""
        try:
            if ago := re.fullmatch(r"(\d{1,6})([dhm])", value):
                return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            return datetime.fromisoformat(value).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(
                f"{value!r} is neither a time such as 2025-06-18 or 2025-06-18T06:00 nor "
                "an age such as 7d, 12h or 30m.",
                param,
                ctx,
            )


class Number(click.IntRange):
    """A command-line value: a whole number; the error does not speak of ranges."""

    name = "number"

    def convert(
        self,
        value: str | float,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> int:
        """The number, which is in the range."""
        try:
            return super().convert(value, param, ctx)  # type: ignore[arg-type]
        except click.BadParameter:
            bounds = self._describe_range()
            expected = f"a whole number{bounds and f' {bounds}'}"
            self.fail(f"{value!r} is not {expected}.", param, ctx)

    def _describe_range(self) -> str:
        # The help shows it, too.
        if self.max is None:
            return "" if self.min is None else f"from {self.min} on"
        return f"from {self.min} to {self.max}"


class Seconds(click.FloatRange):
    """A command-line value: a number of seconds."""

    name = "number"

    def convert(
        self,
        value: str | float,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """The number, which is in the range; `nan` is in none."""
        try:
            seconds = super().convert(value, param, ctx)  # type: ignore[arg-type]
        except click.BadParameter:
            seconds = math.nan
        if math.isnan(seconds):
            expected = f"a number of seconds {self._describe_range()}, such as 1.5"
            self.fail(f"{value!r} is not {expected}.", param, ctx)
        return seconds

    def _describe_range(self) -> str:
        return f"from {self.min} to {self.max}"


class ImportId(click.ParamType[int]):
    """A command-line value: the number of an import, as `7` or `#7`."""

    name = "id"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """The number; whether the import exists is not checked."""
        digits = re.fullmatch(r"#?0*([1-9][0-9]{0,18})", value.strip())
        if digits is None or int(digits[1]) >= 2**63:
            raise click.BadParameter(
                f"{value!r} is not the number of an import, such as 7; "
                "`salespro history` lists the imports.",
                ctx,
                param,
                # also where the usage has [ID]
                f"'{param.human_readable_name.strip('[]') if param else 'ID'}'",
            )
        return int(digits[1])
