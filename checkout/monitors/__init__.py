"""How phones report: one module for each kind of app."""
