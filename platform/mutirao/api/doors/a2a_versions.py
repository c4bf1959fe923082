"""The same protocol in its two versions: 0.3, which the door thinks in, and 1.0, whose methods are named otherwise."""

from typing import Any, Final

METHODS: Final = {
    "SendMessage": "message/send",
    "SendStreamingMessage": "message/stream",
    "GetTask": "tasks/get",
    "CancelTask": "tasks/cancel",
    "SubscribeToTask": "tasks/resubscribe",
    "ListTasks": "tasks/list",
    "GetExtendedAgentCard": "agent/getAuthenticatedExtendedCard",
    "CreateTaskPushNotificationConfig": "tasks/pushNotificationConfig/set",
    "GetTaskPushNotificationConfig": "tasks/pushNotificationConfig/get",
    "ListTaskPushNotificationConfigs": "tasks/pushNotificationConfig/list",
    "DeleteTaskPushNotificationConfig": "tasks/pushNotificationConfig/delete",
}
"""Names of 1.0, and what they were before."""

_WRAPPED = {"task": "task", "message": "message", "status-update": "statusUpdate", "artifact-update": "artifactUpdate"}


def is_newer(method: str) -> bool:
    """Whether a method is named as in 1.0."""
    return method in METHODS


def newer(result: dict[str, Any], *, bare: bool) -> dict[str, Any]:
    """A result of 0.3 as 1.0 says it. `bare`: of a method that answers with nothing but a task."""
    found = _without_kinds(result)
    found.pop("final", None)  # there a stream ends with its connection
    return found if bare else {_WRAPPED[result["kind"]]: found}


def _without_kinds(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_kinds(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {name: _renamed(name, given) for name, given in value.items() if name != "kind"}


def _renamed(name: str, given: Any) -> Any:
    match name:
        case "data" | "metadata":  # whatever it holds is not the protocol's
            return given
        case "role":
            return f"ROLE_{given.upper()}"
        case "state":
            return f"TASK_STATE_{given.upper().replace('-', '_')}"
    return _without_kinds(given)
