"""Files from the API into a folder: never outside of it, never half of one, never other content than was stored."""

import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from mutirao.client.connection import ConnectionLost
from mutirao.errors import InvalidInput
from mutirao.jobs.records import Artifact


class NameRefused(InvalidInput):
    """Raised when an artifact's name would lead out of the folder it is to be written to."""

    code = "name_refused"


def place_of(name: str, folder: Path) -> Path:
    """Where in `folder` a file of that name belongs; its parent folders are made.

    Raises:
        NameRefused: the name is absolute, has `..`, a backslash, a colon or a control character, or passes through a
            link that leads outside.
    """
    path = PurePosixPath(name)
    clean = bool(name) and name.isprintable() and not any(sign in name for sign in "\\:")
    if not clean or path.is_absolute() or ".." in path.parts or str(path) != name or name == ".":
        raise NameRefused(f"artifact name {name!r} may not be written to a folder; fetch it over the API", name=name)
    root = folder.resolve()
    target = root / path
    if not target.parent.resolve().is_relative_to(root):
        raise NameRefused(f"{str(target.parent)!r} leads out of {str(folder)!r}; choose another folder", name=name)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir():
        raise NameRefused(f"{str(target)!r} is a folder; artifact {name!r} needs a file there", name=name)
    return folder / path


@contextmanager
def writing(artifact: Artifact, target: Path) -> Iterator[Callable[[bytes], None]]:
    """Takes an artifact's content in parts; `target` appears whole when the block ends, or not at all.

    Raises:
        ConnectionLost: the content ended early or is not what was stored.
    """
    scratch = target.with_name(f".mutirao-{secrets.token_hex(8)}")
    digest, size = hashlib.sha256(), 0
    try:
        with scratch.open("xb") as file:

            def take(part: bytes) -> None:
                nonlocal size
                digest.update(part)
                size += len(part)
                file.write(part)

            yield take
        _check(artifact, digest.hexdigest(), size)
        scratch.replace(target)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def _check(artifact: Artifact, sha256: str, size: int) -> None:
    if sha256 != artifact.sha256:
        raise ConnectionLost(
            f"artifact {artifact.name!r} came with {size} of {artifact.size} bytes or changed on its way; try again"
        )
