"""What merchants are owed, and how it reaches them: callbacks and events, kept until somebody acknowledges them."""
