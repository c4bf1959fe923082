"""Workers: the only place that knows Celery. `python -m mutirao_workers` starts one."""

import os

# LangGraph reads the first when it is imported, before which nothing of this package can be; nothing may call out by itself.
os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
os.environ.setdefault("LANGSMITH_TRACING", "false")
os.environ.setdefault("ANONYMIZED_TELEMETRY", "False")
