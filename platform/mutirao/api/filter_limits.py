"""How much a filter of a search may ask for: a statement is built, planned and compared for each of its conditions."""

from collections.abc import Iterable
from typing import Any

from mutirao.errors import InvalidInput
from mutirao.settings import ApiSettings


def check_filters(settings: ApiSettings, **filters: Any) -> None:
    """Filters by the name of their field. Raises InvalidInput when one has too many conditions, or is nested too deep."""
    for name, given in filters.items():
        if given is None:
            continue
        conditions = 0
        level: list[Any] = [given]
        for depth in range(settings.max_filter_depth + 2):
            level = [part for value in level for part in _parts(value)]
            conditions += len(level)
            if conditions > settings.max_filter_conditions:
                raise InvalidInput(
                    f"`{name}` has more than {settings.max_filter_conditions} conditions; ask for less, or raise "
                    "MUTIRAO_MAX_FILTER_CONDITIONS",
                    path=f"/{name}",
                )
            if level and depth > settings.max_filter_depth:
                raise InvalidInput(
                    f"`{name}` is nested deeper than {settings.max_filter_depth} levels; see MUTIRAO_MAX_FILTER_DEPTH",
                    path=f"/{name}",
                )


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
