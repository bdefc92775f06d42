"""What Checkout knows, as frozen records, a module for each noun. Amounts are int fen, times int Unix seconds.

An empty string means "none" for texts that a merchant may leave out; `None` means "not yet" for times and numbers.
"""
