"""Cron expressions in a time zone: what is one, and the moments it names."""

import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from itertools import islice

from cronsim import CronSim, CronSimError

from mutirao.errors import InvalidInput

_FIELDS = 5
_MOST_CHARS = 200


@cache
def _zones() -> frozenset[str]:
    """Reading the names takes milliseconds: the machine's whole folder of them."""
    return frozenset(zoneinfo.available_timezones())


class Cron:
    """Five fields (minute, hour, day of month, month, day of week) as Debian's cron reads them, in a time zone.

    When clocks go forward, a moment that does not exist is moved behind the gap; when they go back, one that comes
    twice counts once. Expressions for every so many minutes or hours go by elapsed time instead.

    Raises:
        InvalidInput: it is no such expression, names no moment at all, or the time zone is unknown.
    """

    def __init__(self, expression: str, timezone: str = "UTC") -> None:
        self.expression = expression
        self.timezone = timezone
        if timezone not in _zones():
            raise InvalidInput(
                f"timezone {timezone[:80]!r} is unknown; use a name of the IANA list, such as 'UTC' or 'America/Sao_Paulo'",
                path="/timezone",
            )
        self._zone = zoneinfo.ZoneInfo(timezone)
        self._check()

    def after(self, moment: datetime) -> datetime | None:
        """The first moment after this one, in UTC; None: there is none within fifty years."""
        return next(self.all_after(moment), None)

    def times(self, moment: datetime, count: int) -> list[datetime]:
        """The first `count` moments after this one."""
        return list(islice(self.all_after(moment), count))

    def all_after(self, moment: datetime) -> Iterator[datetime]:
        """Moments after this one, in UTC, ascending."""
        last = moment
        for found in CronSim(self.expression, moment.astimezone(self._zone)):
            # Where clocks go back, the local time of an hour that was already served comes again.
            if (at := found.astimezone(UTC)) > last:
                last = at
                yield at

    def _check(self) -> None:
        shown = repr(self.expression[:80])
        fields = len(self.expression.split())
        wanted = "minute, hour, day of month, month, day of week, as in '30 7 * * MON-FRI'"
        if fields != _FIELDS or len(self.expression) > _MOST_CHARS:
            raise InvalidInput(f"cron {shown} has {fields} fields; it needs five: {wanted}", path="/cron")
        try:
            never = self.after(datetime.now(UTC)) is None
        except CronSimError as error:
            reason = str(error).removeprefix("Bad ")
            raise InvalidInput(f"cron {shown}: the {reason} is wrong; it has {wanted}", path="/cron") from None
        if never:
            raise InvalidInput(f"cron {shown} names no moment within the next fifty years", path="/cron")
