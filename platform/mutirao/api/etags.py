"""`ETag` and `If-Match` for what two people may change at once: the revision, in quotes."""

import re
from typing import Annotated

from fastapi import Depends, Header, Response

from mutirao.errors import InvalidInput

_ETAG = re.compile(r'(?:W/)?"?(\d{1,9})"?')


async def _expected(
    if_match: Annotated[
        str | None, Header(description="`ETag` of what was read: change it only while it is that; `*`: in any case.")
    ] = None,
) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    found = _ETAG.fullmatch(if_match.strip())
    if found is None:
        raise InvalidInput(f"If-Match {if_match!r} is not an ETag of ours; send the one that came with the last answer")
    return int(found[1])


Expected = Annotated[int | None, Depends(_expected)]
"""The revision that the caller takes for the present one; None: any."""


def tag(response: Response, revision: int) -> None:
    """Say in the answer which revision it shows."""
    response.headers["ETag"] = f'"{revision}"'
