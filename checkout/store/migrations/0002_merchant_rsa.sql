-- The second version of epay signs with RSA: our key pair for a merchant (PEM, private) and the merchant's public key.
ALTER TABLE merchants ADD COLUMN rsa_platform TEXT NOT NULL DEFAULT '';
ALTER TABLE merchants ADD COLUMN rsa_merchant TEXT NOT NULL DEFAULT '';
