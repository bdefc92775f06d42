"""How phones speak: one module for each kind of app."""
