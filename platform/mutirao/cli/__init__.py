"""The command `mutirao`.

Each module imports typer and the standard library at its top and nothing else that takes time, so that `mutirao --help`
answers at once; what a command needs is imported by the command.
"""

from mutirao.cli.app import app, main

__all__ = ["app", "main"]
