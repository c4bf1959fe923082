"""Schemathesis with the keys of two projects over the whole OpenAPI document: `make fuzz`."""
