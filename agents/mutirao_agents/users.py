"""The person or program behind a call, as LangGraph's handlers and factories expect it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


class ProjectUser(Mapping[str, Any]):
    """What `@auth.authenticate` returned: fields as attributes and as keys. `identity` is always there."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = {"is_authenticated": True, "permissions": [], **fields}
        self._fields.setdefault("display_name", self._fields["identity"])

    @property
    def identity(self) -> str:
        """Who it is."""
        return str(self._fields["identity"])

    @property
    def display_name(self) -> str:
        """For people."""
        return str(self._fields["display_name"])

    @property
    def is_authenticated(self) -> bool:
        """Whether somebody made sure of it."""
        return bool(self._fields["is_authenticated"])

    @property
    def permissions(self) -> Sequence[str]:
        """What the project's handler allows it."""
        return list(self._fields["permissions"])

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_fields"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __getitem__(self, key: str) -> Any:
        return self._fields[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def dict(self) -> "dict[str, Any]":
        """All fields."""
        return {name: value for name, value in self._fields.items()}  # noqa: C416 (`dict` is this method here)


def user_of(config: Mapping[str, Any]) -> ProjectUser | None:
    """The user in a run's config, where the API has put one."""
    user = (config.get("configurable") or {}).get("langgraph_auth_user")
    if isinstance(user, Mapping) and user.get("identity"):
        return ProjectUser(user)
    return None
