"""The knowledge base: documents to text, blocks, sentences and chunks; embeddings; Chroma; retrieval.

A worker builds one `services.KnowledgeServices`; a step reaches its project's `retrieve.KnowledgeBase` as
`job_context().knowledge`. Nothing is imported here, so that `sentences` costs no database driver.
"""
