"""The HTTP control plane."""

from mutirao.api.app import create_app

__all__ = ["create_app"]
