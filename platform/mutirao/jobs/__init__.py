"""Jobs: what they are, how they are kept, who may change them."""
