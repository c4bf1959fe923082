"""The routes of `/api/v1`, one noun a module."""
