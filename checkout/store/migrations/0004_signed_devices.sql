-- A script that reports money may be told to sign what it sends; the kinds with a signature of their own always do.
ALTER TABLE devices ADD COLUMN signed INTEGER NOT NULL DEFAULT 0 CHECK (signed IN (0, 1));
