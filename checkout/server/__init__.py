"""The web server: who watches, the crews of workers, and the loop that reads requests and sends answers."""
