"""Money that goes back: what may, what has, what gateways are asked to send and what they tell of it."""
