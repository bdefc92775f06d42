"""Checkout without its shortcuts: each request goes through Flask's router to its route, under gunicorn as it comes."""

from checkout.app import create_app

app = create_app()
del app.wsgi_app  # what stands in front of the routes: Flask's own method is left
