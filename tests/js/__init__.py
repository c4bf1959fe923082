"""The JavaScript SDK of LangGraph against a real API and worker. Needs Node 20 and npm: `python -m tests.js`."""
