"""Server-sent events, as the API writes them."""

from collections.abc import Iterable, Iterator


def lines_of(parts: Iterable[bytes]) -> Iterator[str]:
    """Lines of a body that comes in parts. Only LF and CR LF end a line: JSON may hold every other separator."""
    rest = b""
    for part in parts:
        *whole, rest = (rest + part).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r").decode("utf-8", "replace")


def data_of(lines: Iterable[str]) -> Iterator[str]:
    """The `data` of each event that came whole, an empty text for each comment (the stream's sign of life)."""
    data: list[str] = []
    for line in lines:
        if line.startswith(":"):
            yield ""
        elif line.startswith("data:"):
            data.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data = []
