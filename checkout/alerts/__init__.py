"""What the owner is told of: what is wrong now, its words, when it is told and how it gets there."""
