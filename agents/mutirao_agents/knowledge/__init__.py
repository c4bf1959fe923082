"""The knowledge base: documents to text, blocks, sentences and chunks; embeddings; Chroma; retrieval."""
