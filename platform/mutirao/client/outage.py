"""How long to go on without an answer, and how often to ask."""

import random
import time

from mutirao.client.connection import NoConnection
from mutirao.client.flows import RETRY_AFTER, Pause
from mutirao.errors import MutiraoError

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 3.0


class Outage:
    """The times in which the API does not answer, as one caller sees them: short ones are waited out.

    An API that was never reached is not waited for: whoever has nothing running wants to hear so at once.
    """

    def __init__(self, patience_seconds: float) -> None:
        self._patience_seconds = patience_seconds
        self._reached = False
        self._began: float | None = None
        self._pause = FIRST_PAUSE_SECONDS

    def over(self) -> None:
        """The API answers."""
        self._reached = True
        self._began = None

    def progress(self) -> None:
        """It has even said something new: the next pause is a short one again."""
        self.over()
        self._pause = FIRST_PAUSE_SECONDS

    def bear(self, error: MutiraoError | None = None) -> Pause:
        """The moment to wait before the next try: the one the API names, else moments that double up to a limit.

        Raises:
            MutiraoError: `error`, when the API was never reached or has not answered for longer than the patience.
        """
        now = time.monotonic()
        asked = 0.0
        if error is not None:
            if isinstance(error, NoConnection) and not self._reached:
                raise error
            self._reached = True
            self._began = self._began or now
            asked = float(error.details.get(RETRY_AFTER, 0))
            if now + asked - self._began > self._patience_seconds:
                raise error
        pause = self._pause * random.uniform(0.5, 1)  # noqa: S311 (readers should not all come back at once)
        self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)
        return Pause(max(pause, asked))
