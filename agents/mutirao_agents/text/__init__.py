"""Pure functions over text: language, tokens, numbers, and quotes as people read them. No model, no job, no state."""
