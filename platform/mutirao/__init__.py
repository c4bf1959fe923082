"""Mutirão: runs graphs of agents as durable jobs."""

__version__ = "0.1.0"
__all__ = ["__version__"]
