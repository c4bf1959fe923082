"""Which account servers that refuse root run as, and how it reaches its folder."""

import os
import pwd
import stat
from pathlib import Path

from mutirao.errors import PartFailed
from mutirao.stack.command import Account

PREFERRED = ("pgserver", "nobody")


def unprivileged_account(owned: Path) -> Account | None:
    """Whom to run as: None when this process is not root, else the owner of `owned` or an account that exists.

    Raises:
        PartFailed: root is the only account of this machine.
    """
    if os.geteuid() != 0:
        return None
    if owned.exists() and owned.stat().st_uid != 0:
        return _account_of(owned.stat().st_uid)
    for name in PREFERRED:
        try:
            return _as_account(pwd.getpwnam(name))
        except KeyError:
            continue
    others = sorted((entry for entry in pwd.getpwall() if entry.pw_uid != 0), key=lambda entry: entry.pw_uid)
    if not others:
        raise PartFailed(
            "PostgreSQL refuses to run as root and /etc/passwd has no other account; "
            "add one (useradd --system pgserver), run as another user, or set MUTIRAO_DATABASE_URL"
        )
    return _as_account(others[0])


def _account_of(uid: int) -> Account:
    try:
        return _as_account(pwd.getpwuid(uid))
    except KeyError:
        raise PartFailed(
            f"the data folder belongs to the unknown account {uid}; chown it to an account of this machine"
        ) from None


def _as_account(entry: pwd.struct_passwd) -> Account:
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)


def open_way(target: Path) -> list[Path]:
    """Let every account pass through the folders above `target`: adds o+x where it is missing and nothing else.

    Returns the folders that were changed.
    """
    changed = []
    for folder in target.absolute().parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
            changed.append(folder)
    return changed


def open_tree(root: Path) -> list[Path]:
    """Let every account read and execute an installed program's tree; returns its root when that was closed before."""
    if root.stat().st_mode & 0o005 == 0o005:
        return []
    for path in [root, *root.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        execute = stat.S_IXOTH if mode & stat.S_IXUSR else 0
        path.chmod(mode | stat.S_IROTH | execute)
    return [root]
