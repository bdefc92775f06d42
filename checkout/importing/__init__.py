"""Bringing over what another program of the kind knows."""
