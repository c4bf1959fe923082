"""Doors for clients that speak another protocol: MCP, A2A and OpenAI's chat. Each submits jobs and follows their journals."""
