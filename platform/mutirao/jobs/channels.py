"""Names of the channels on which the database says that something about jobs is new. A notice is a wake-up, never the news."""

EVENTS_CHANNEL = "mutirao_events"
"""Payload: id of a job whose journal has grown; once more with `ENDED` behind it when the job has ended,
or waits for an approval."""

CANCELS_CHANNEL = "mutirao_cancels"
"""Payload: id of a running job that somebody asked to end or to pause; its worker looks which."""

WORK_CHANNEL = "mutirao_work"
"""Payload: a queue in which jobs may be claimed that nobody sends a hint for; or a queue, a space and the id of a job that
somebody waits for, for workers that have nothing to do."""

WEBHOOKS_CHANNEL = "mutirao_webhooks"
"""Without payload: there is something to send."""

ENDED = "/ended"

THREAD = "thread/"
"""Before the id of a thread on `EVENTS_CHANNEL`: a run was accepted in it."""

ACCEPTED = "accepted/"
"""On `EVENTS_CHANNEL`, before the name of an API process and the ids of jobs, with spaces between: it has accepted them a
moment ago, and no worker has begun them yet."""

ASSISTANTS = "assistants"
"""On `EVENTS_CHANNEL`: some assistant is not what it was."""
