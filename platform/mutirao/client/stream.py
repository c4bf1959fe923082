"""Server-sent events, as the API writes them."""

from collections.abc import Iterator


class EventReader:
    """Reads events off a body that comes in parts, cut anywhere.

    Only LF and CR LF end a line: JSON may hold every other separator.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[str] = []

    def take(self, part: bytes) -> Iterator[str]:
        """The `data` of each event that is whole with this part, an empty text for each comment (the sign of life)."""
        *whole, self._rest = (self._rest + part).split(b"\n")
        for line in whole:
            yield from self._line(line.removesuffix(b"\r").decode("utf-8", "replace"))

    def _line(self, line: str) -> Iterator[str]:
        if line.startswith(":"):
            yield ""
        elif line.startswith("data:"):
            self._data.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and self._data:
            text = "\n".join(self._data)
            self._data = []
            yield text
