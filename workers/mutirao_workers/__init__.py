"""Workers: the only place that knows Celery. `python -m mutirao_workers` starts one."""
