-- The oldest tries are looked for again and again, to be removed.
CREATE INDEX attempts_at ON attempts (at, delivery, number);
