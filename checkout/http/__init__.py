"""The one way out to the network: `client` sends requests; the other modules are its parts."""
