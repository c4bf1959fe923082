"""The revision that processes wait for is the newest migration."""

from mutirao.db.migrate import head
from mutirao.db.revision import HEAD


def test_the_constant_is_the_newest_migration() -> None:
    assert head() == HEAD
