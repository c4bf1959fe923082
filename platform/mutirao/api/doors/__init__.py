"""Doors for clients that speak another protocol: MCP and OpenAI's chat. Each submits jobs and follows their journals."""
