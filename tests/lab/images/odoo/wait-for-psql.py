#!/usr/bin/env python3
"""Waits until the database server accepts a connection to the database `postgres`."""
import argparse
import configparser
import os
import sys
import time

import psycopg2

parser = argparse.ArgumentParser()
for option in ("host", "port", "user", "password"):
    parser.add_argument("--db_" + option)
parser.add_argument("--timeout", type=int, default=5)
args = parser.parse_args()

# The configuration file wins; what neither has is left to PostgreSQL's own variables.
conf = configparser.RawConfigParser()
conf.read(os.environ["ODOO_RC"])
target = {
    option: conf.get("options", "db_" + option, fallback=None) or getattr(args, "db_" + option)
    for option in ("host", "port", "user", "password")
}

error = "no attempt made"
deadline = time.monotonic() + args.timeout
while time.monotonic() < deadline:
    try:
        psycopg2.connect(dbname="postgres", **target).close()
        sys.exit(0)
    except psycopg2.OperationalError as e:
        error = e
    time.sleep(1)

print("Database connection failure: %s" % error, file=sys.stderr)
sys.exit(1)
