"""How often one caller may ask, in a moving window of each API process.

Windows are kept in the process: two API processes allow twice as much. A limit keeps one caller from crowding out the
others of its process; it is no billing.
"""

from collections import deque
from collections.abc import Mapping
from math import ceil
from time import monotonic

import limits

from mutirao.api.scopes import Class
from mutirao.errors import RateLimited, SettingsInvalid
from mutirao.settings import AccessSettings

_MOST_WINDOWS = 10_000  # before those that are empty are looked for
OFF = ("off", "0", "")


def _limit(name: str, written: str) -> limits.RateLimitItem | None:
    if written.strip().lower() in OFF:
        return None
    try:
        return limits.parse(written)
    except ValueError:
        raise SettingsInvalid(
            f"MUTIRAO_{name.upper()}={written!r} is no limit; write `100/second`, `6000/10 seconds` or `off`"
        ) from None


class Windows:
    """When each caller has asked, within the time that its limit looks back. `limits` has windows, too; those of its
    memory start a thread with each request."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str, limits.RateLimitItem], deque[float]] = {}
        self._most = _MOST_WINDOWS

    def hit(self, limit: limits.RateLimitItem, caller: str, cost: int = 1) -> bool:
        """Count a request as `cost`, unless that is too many; says whether it was counted."""
        asked = self._of(limit, caller)
        if len(asked) + cost > limit.amount:
            return False
        asked.extend([monotonic()] * cost)
        return True

    def left(self, limit: limits.RateLimitItem, caller: str) -> tuple[int, float]:
        """How many more may come now, and after how many seconds one more."""
        asked = self._of(limit, caller)
        return max(0, limit.amount - len(asked)), asked[0] + limit.get_expiry() - monotonic() if asked else 0.0

    def _of(self, limit: limits.RateLimitItem, caller: str) -> deque[float]:
        asked = self._asked.get((caller, limit))
        if asked is None:
            if len(self._asked) >= self._most:
                self._forget()
            asked = self._asked[caller, limit] = deque()
        return _within(asked, limit)

    def _forget(self) -> None:
        """Whoever has not asked for so long has no window."""
        self._asked = {key: asked for key, asked in self._asked.items() if _within(asked, key[1])}
        self._most = max(_MOST_WINDOWS, 2 * len(self._asked))


def _within(asked: deque[float], limit: limits.RateLimitItem) -> deque[float]:
    since = monotonic() - limit.get_expiry()
    while asked and asked[0] <= since:
        asked.popleft()
    return asked


class RateLimits:
    """The limits of one process."""

    def __init__(self, settings: AccessSettings) -> None:
        self._windows = Windows()
        self._limits = {
            Class.READ: _limit("rate_limit_read", settings.rate_limit_read),
            Class.SUBMIT: _limit("rate_limit_submit", settings.rate_limit_submit),
        }
        self._failures = _limit("rate_limit_failures", settings.rate_limit_failures)

    async def take(self, caller: str, kind: Class, cost: int = 1) -> Mapping[str, str]:
        """Count a request, or as many as `cost`; the headers that say how many are left. Raises RateLimited."""
        limit = self._limits[kind]
        if limit is None or cost < 1:
            return {}
        caller = f"{kind.value}:{caller}"
        taken = self._windows.hit(limit, caller, cost)
        remaining, seconds = self._windows.left(limit, caller)
        wait = max(1, ceil(seconds))
        headers = {
            "RateLimit-Policy": f'"{kind.value}";q={limit.amount};w={limit.get_expiry()}',
            "RateLimit": f'"{kind.value}";r={remaining};t={wait}',
        }
        if not taken:
            raise RateLimited(
                f"more than {limit} of this key ({kind.value}); try again in {wait} s",
                headers={**headers, "Retry-After": str(wait)},
            )
        return headers

    async def may_fail(self, address: str) -> None:
        """Raises RateLimited when too many requests of the address had a wrong key, or none."""
        if self._failures is None:
            return
        remaining, seconds = self._windows.left(self._failures, f"failures:{address}")
        if not remaining:
            wait = max(1, ceil(seconds))
            raise RateLimited(
                f"too many requests of this address had a wrong key or none; try again in {wait} s",
                headers={"Retry-After": str(wait)},
            )

    async def failed(self, address: str) -> None:
        """Count a request with a wrong key, or none."""
        if self._failures is not None:
            self._windows.hit(self._failures, f"failures:{address}")
