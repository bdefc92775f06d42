"""The baselines: the smallest Flask application, and a file that Flask hands out, under the same gunicorn."""

from __future__ import annotations

from pathlib import Path

from flask import Flask

app = Flask(__name__, static_folder=str(Path(__file__).resolve().parent.parent / "static"))
FILE = "/static/checkout.css"


@app.get("/")
def hello() -> str:
    return "hello"
