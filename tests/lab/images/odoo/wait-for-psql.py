#!/usr/bin/env python3
"""Waits until the database server accepts a connection to the database `postgres`."""
import argparse
import sys
import time

import psycopg2

parser = argparse.ArgumentParser()
for option in ("--db_host", "--db_port", "--db_user", "--db_password"):
    parser.add_argument(option, required=True)
parser.add_argument("--timeout", type=int, default=5)
args = parser.parse_args()

error = "no attempt made"
deadline = time.monotonic() + args.timeout
while time.monotonic() < deadline:
    try:
        psycopg2.connect(
            host=args.db_host,
            port=args.db_port,
            user=args.db_user,
            password=args.db_password,
            dbname="postgres",
        ).close()
        sys.exit(0)
    except psycopg2.OperationalError as e:
        error = e
    time.sleep(1)

print("Database connection failure: %s" % error, file=sys.stderr)
sys.exit(1)
