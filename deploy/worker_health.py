"""The worker container's health check: exit 0 while a worker of this host holds its lease in the database, else 1."""

import socket
import sys

import psycopg
from mutirao.settings import load_settings

ALIVE = """
SELECT count(*) FROM workers WHERE host = %s AND stopped_at IS NULL AND lease_expires_at > now()"""


def main() -> int:
    """Ask the database, whose clock decides about leases."""
    url = load_settings().stack.database_url
    if url is None:
        print("MUTIRAO_DATABASE_URL is not set", file=sys.stderr)  # noqa: T201 (shown by `docker inspect`)
        return 1
    with psycopg.connect(url.get_secret_value(), connect_timeout=3) as connection:
        alive = connection.execute(ALIVE, [socket.gethostname()]).fetchone()
    return 0 if alive and alive[0] else 1


if __name__ == "__main__":
    sys.exit(main())
