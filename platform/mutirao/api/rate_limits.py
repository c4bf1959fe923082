"""How often one caller may ask, in a moving window of each API process.

Windows are kept in the process, by `limits`: two API processes allow twice as much. A limit keeps one caller from
crowding out the others of its process; it is no billing.
"""

from collections.abc import Mapping
from math import ceil
from time import time

import limits
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from mutirao.api.scopes import Class
from mutirao.errors import RateLimited, SettingsInvalid
from mutirao.settings import AccessSettings

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


class RateLimits:
    """The limits of one process."""

    def __init__(self, settings: AccessSettings) -> None:
        self._windows = MovingWindowRateLimiter(MemoryStorage())
        self._limits = {
            Class.READ: _limit("rate_limit_read", settings.rate_limit_read),
            Class.SUBMIT: _limit("rate_limit_submit", settings.rate_limit_submit),
        }
        self._failures = _limit("rate_limit_failures", settings.rate_limit_failures)

    async def take(self, caller: str, kind: Class) -> Mapping[str, str]:
        """Count a request; the headers that say how many are left. Raises RateLimited."""
        limit = self._limits[kind]
        if limit is None:
            return {}
        taken = await self._windows.hit(limit, caller, kind.value)
        window = await self._windows.get_window_stats(limit, caller, kind.value)
        wait = max(1, ceil(window.reset_time - time()))
        headers = {
            "RateLimit-Policy": f'"{kind.value}";q={limit.amount};w={limit.get_expiry()}',
            "RateLimit": f'"{kind.value}";r={window.remaining};t={wait}',
        }
        if not taken:
            raise RateLimited(
                f"more than {limit} of this key ({kind.value}); try again in {wait} s",
                headers={**headers, "Retry-After": str(wait)},
            )
        return headers

    async def may_fail(self, address: str) -> None:
        """Raises RateLimited when too many requests of the address had a wrong key, or none."""
        if self._failures is not None and not await self._windows.test(self._failures, address, "failures"):
            wait = max(
                1, ceil((await self._windows.get_window_stats(self._failures, address, "failures")).reset_time - time())
            )
            raise RateLimited(
                f"too many requests of this address had a wrong key or none; try again in {wait} s",
                headers={"Retry-After": str(wait)},
            )

    async def failed(self, address: str) -> None:
        """Count a request with a wrong key, or none."""
        if self._failures is not None:
            await self._windows.hit(self._failures, address, "failures")
