"""Why an attempt is stopped from outside."""

from enum import Enum, auto


class Stop(Enum):
    """Why an attempt is stopped from outside."""

    CANCEL = auto()  # somebody asked for the end of the job
    PAUSE = auto()  # somebody asked for a pause
    HAND_BACK = auto()  # this worker is shutting down, or the job must run elsewhere
    LOST = auto()  # this worker's lease has run out
    LIMIT = auto()  # a time limit has passed
