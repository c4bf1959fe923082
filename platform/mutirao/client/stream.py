"""Server-sent events, as the API writes them."""

from collections.abc import Iterator

STREAM_SILENCE_SECONDS = 30.0
"""How much longer than an answer a stream may be silent, without a sign of life, before it is opened again."""


class EventReader:
    """Reads events off a body that comes in parts, cut anywhere.

    Only LF and CR LF end a line: JSON may hold every other separator.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._name = ""
        self._data: list[str] = []

    def take(self, part: bytes) -> Iterator[str]:
        """The `data` of each event that is whole with this part, an empty text for each comment (the sign of life)."""
        for _, data in self.take_named(part):
            yield data

    def take_named(self, part: bytes) -> Iterator[tuple[str, str]]:
        """The same with the name of each event, which is empty where it has none."""
        *whole, self._rest = (self._rest + part).split(b"\n")
        for line in whole:
            yield from self._line(line.removesuffix(b"\r").decode("utf-8", "replace"))

    def _line(self, line: str) -> Iterator[tuple[str, str]]:
        if line.startswith(":"):
            yield "", ""
        elif line.startswith("data:"):
            self._data.append(line.removeprefix("data:").removeprefix(" "))
        elif line.startswith("event:"):
            self._name = line.removeprefix("event:").removeprefix(" ")
        elif not line:
            name, data = self._name, self._data
            self._name, self._data = "", []
            if data:
                yield name, "\n".join(data)
