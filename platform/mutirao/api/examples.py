"""Examples of request bodies in the OpenAPI document, for those whose models bring none."""

from typing import Any

from fastapi import FastAPI

from mutirao.api.openapi import amend

_ASSISTANT = "2f1f9f5e-6f43-5f0a-9d3e-0d6d3f5f6a10"
_THREAD = "01a2157f-3c44-7b6e-9a51-6f6a5b0c1d2e"
_CHECKPOINT = "1f0ca2f6-77aa-6c9e-8003-0242ac120002"

_CRON = {
    "assistant_id": "report",
    "schedule": "30 7 * * MON",
    "timezone": "America/Sao_Paulo",
    "input": {"topic": "Rain"},
}

EXAMPLES: dict[str, Any] = {
    "PATCH /api/v1/assistants/{assistant_id}": {
        "name": "Brief reports",
        "config": {"configurable": {"length": "short"}},
    },
    "POST /api/v1/assistants/{assistant_id}/latest": {"version": 1},
    "POST /api/v1/jobs/batch": {
        "jobs": [
            {"workflow": "report", "input": {"topic": topic, "collections": ["demo"]}, "idempotency_key": topic}
            for topic in ("composting", "rainwater")
        ]
    },
    "POST /api/v1/jobs/{job_id}/fork": {"checkpoint_id": _CHECKPOINT, "values": {"topic": "rainwater"}},
    "POST /api/v1/jobs/{job_id}/retry": {"version": "current"},
    "POST /api/v1/keys/{key_id}/rotate": {"overlap_seconds": 3600},
    "PATCH /api/v1/project": {"max_running": 50, "budget": {"tokens": 1_000_000}},
    "PATCH /api/v1/schedules/{schedule_id}": {"enabled": False},
    "POST /api/v1/search": {"collections": ["demo"], "query": "How is rainwater kept?"},
    "PATCH /api/v1/threads/{thread_id}": {"metadata": {"customer": "ana"}, "ttl_minutes": 43_200},
    "POST /api/v1/threads/{thread_id}/state": {"values": {"topic": "rainwater"}, "as_node": "plan"},
    "POST /api/v1/webhooks/{webhook_id}/rotate": {"keep_seconds": 86_400},
    "POST /assistants": {
        "graph_id": "report",
        "name": "Brief reports",
        "config": {"configurable": {"length": "short"}},
    },
    "POST /assistants/count": {"graph_id": "report"},
    "POST /assistants/search": {"graph_id": "report", "limit": 10},
    "PATCH /assistants/{assistant_id}": {"name": "Long reports"},
    "POST /assistants/{assistant_id}/latest": {"version": 1},
    "POST /assistants/{assistant_id}/versions": {"limit": 10},
    "POST /runs/batch": [{"assistant_id": "report", "input": {"topic": "composting", "collections": ["demo"]}}],
    "POST /runs/cancel": {"status": "pending"},
    "POST /runs/crons": _CRON,
    "POST /threads/{thread_id}/runs/crons": _CRON,
    "POST /runs/crons/count": {"assistant_id": _ASSISTANT},
    "POST /runs/crons/search": {"assistant_id": _ASSISTANT, "limit": 10},
    "PATCH /runs/crons/{cron_id}": {"enabled": False},
    "POST /runs/search": {"limit": 10},
    "PUT /store/items": {"namespace": ["people", "ana"], "key": "language", "value": {"text": "Portuguese"}},
    "DELETE /store/items": {"namespace": ["people", "ana"], "key": "language"},
    "POST /store/items/search": {"namespace_prefix": ["people"], "filter": {"text": "Portuguese"}, "limit": 10},
    "POST /store/namespaces": {"prefix": ["people"], "max_depth": 2},
    "POST /threads": {"metadata": {"customer": "ana"}},
    "POST /threads/count": {"status": "interrupted"},
    "POST /threads/prune": {"thread_ids": [_THREAD], "strategy": "keep_latest"},
    "POST /threads/search": {"metadata": {"customer": "ana"}, "status": "idle", "limit": 10},
    "PATCH /threads/{thread_id}": {"metadata": {"customer": "eva"}},
    "POST /threads/{thread_id}/history": {"limit": 10},
    "POST /threads/{thread_id}/state": {"values": {"topic": "rainwater"}, "as_node": "plan"},
    "POST /threads/{thread_id}/state/checkpoint": {"checkpoint": {"checkpoint_id": _CHECKPOINT, "checkpoint_ns": ""}},
}


def install(app: FastAPI) -> None:
    """Put the examples into the OpenAPI document."""
    amend(app, _show)


def _show(document: dict[str, Any]) -> None:
    for name, example in EXAMPLES.items():
        method, path = name.split(" ")
        operation = document["paths"].get(path, {}).get(method.lower())
        if operation is not None:
            operation["requestBody"]["content"]["application/json"]["example"] = example
