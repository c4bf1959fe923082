"""The embedded stack: PostgreSQL, Valkey, Chroma, model server, API and workers from wheels alone, on loopback.

`Part` is the seam (one file a part), `Supervisor` keeps parts running, `build_plan` decides from the settings which
parts there are, `EmbeddedParts` starts some of them inside another program (tests use it).
"""
