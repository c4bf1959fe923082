"""Chroma's server without the Python side of `chromadb`, which would cost 1.7 s and 110 MB."""

import sys


def main(arguments: list[str]) -> None:
    """Run Chroma's own command line, `run --path … --host … --port …`, until SIGTERM."""
    import chromadb_rust_bindings  # type: ignore[import-untyped]  # ships no types

    chromadb_rust_bindings.cli(["chroma", *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
