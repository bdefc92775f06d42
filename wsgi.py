"""gunicorn's entry: `gunicorn --worker-class gthread --threads 8 wsgi:app`."""

from checkout.app import create_app

app = create_app()
