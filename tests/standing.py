"""A real server, a process of its own, for which it is always the same second: how often somebody may ask does not
depend on how fast the machine is. `python -m tests.standing PORT`, settings as in the environment."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from werkzeug.serving import make_server

from checkout.app import create_app
from checkout.settings import load
from tests.world import START

if __name__ == "__main__":
    app = create_app(load(os.environ, Path.cwd()), clock=lambda: START, work=False)
    make_server("127.0.0.1", int(sys.argv[1]), app, threaded=True).serve_forever()
