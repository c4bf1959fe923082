"""Messages on a queue that nobody of ours has sent."""

import json
from uuid import uuid4


def message(**changes: object) -> bytes:
    """A message as Celery writes them to Redis."""
    body = {
        "body": "W1sibm90LWEtdXVpZCJdLCB7fSwge31d",  # [["not-a-uuid"], {}, {}]
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": "mutirao.hint", "id": "1", "root_id": "1"},
        "properties": {
            "correlation_id": "1",
            "delivery_info": {"exchange": "default", "routing_key": "default"},
            "delivery_tag": str(uuid4()),
            "body_encoding": "base64",
        },
    }
    return json.dumps(body | changes).encode()


HARMLESS = (
    b"{}",
    message(),
    message(headers={}),
    message(headers={"lang": "py", "task": "os.system", "id": "1"}),
    message(**{"content-type": "application/x-python-serialize"}),
)
# Celery ends its worker with these; whoever started it starts it again.
DEADLY = (b"not json", b"[]", b"\xff\xfe\x00", message(body="!!!"))
