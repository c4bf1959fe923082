"""The deterministic rules of Python 2 → 3, and the converter process that applies them.

Everything here runs in a child process that imports nothing but the standard library and fissix: no LangGraph, no
settings, no network, no secrets. Imports inside this package are relative, because the child loads it by itself.
The code under conversion is parsed and compiled, never imported and never executed.
"""
