"""The built page of the dashboard: where it is. Its source is `platform/dashboard` of the repository."""

from pathlib import Path

__all__ = ["INDEX", "PATH", "folder"]

PATH = "/ui"
"""Where the API serves it."""
INDEX = "index.html"


def folder(chosen: Path | None = None) -> Path | None:
    """The folder with the built page: `chosen`, else the one of the wheel, else the one that a checkout has built.

    None: it was not built.
    """
    here = Path(__file__).parent
    places = [chosen] if chosen is not None else [here / "dist", here.parents[1] / "dashboard" / "dist"]
    return next((place for place in places if (place / INDEX).is_file()), None)
