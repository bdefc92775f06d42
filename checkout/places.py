"""Where things are below the public address, for parts that must not know each other."""

OWNERS = "/admin"
