"""`python -m mutirao.api`: serve the control plane."""

import os
import sys

import uvicorn

from mutirao.api.app import create_app
from mutirao.api.origins import BehindProxies
from mutirao.api.services import check_addresses
from mutirao.errors import MutiraoError
from mutirao.logs import configure_logs
from mutirao.settings import load_settings

DEFAULT_PORT = 8321
_STOP_SECONDS = 2


def main() -> int:
    """Serve until SIGTERM or SIGINT; open streams are closed after a moment."""
    configure_logs()
    try:
        settings = load_settings()
        check_addresses(settings)
        uvicorn.run(
            BehindProxies(create_app(settings), trusted_hosts=os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1")),
            host=settings.api.api_host,
            port=DEFAULT_PORT if settings.api.api_port is None else settings.api.api_port,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=_STOP_SECONDS,
            server_header=False,
            proxy_headers=False,  # the middleware above does it, and more
            ws_max_size=settings.api.max_body_bytes,
        )
    except MutiraoError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)  # noqa: T201 (the process ends with it)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
