#!/usr/bin/env python3
"""Sends what OpenAPI documents allow, and what they forbid, to a controller of its own, and checks each answer.

tests/run calls it once for all documents. By hand:

    OCORE_BIN_DIR=target/debug DATABASE_URL=postgres://... tests/fuzz/api.py [--examples N] [--only REGEX] [DOCUMENT...]

Another surface is one more line in SURFACES: its document, and what its requests carry.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
PASSWORD = "a quiet place 7"
# Every run asks the same; a change of this number asks something else.
SEED = 20261123

# Document -> what stands before its paths, and headers of every request beside those of hooks.py.
SURFACES = {
    "controller/openapi/api.json": {"base": "", "headers": {}},
    "controller/openapi/v1.json": {"base": "", "headers": {}},
}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def call(base, method, path, body=None, token=None, organization=None):
    """One request; the parsed answer. Whatever is not a success ends the run: it prepares the ground."""
    request = urllib.request.Request(base + path, method=method, data=None if body is None else json.dumps(body).encode())
    request.add_header("content-type", "application/json")
    if token:
        request.add_header("authorization", f"Bearer {token}")
    if organization:
        request.add_header("x-org-slug", organization)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        sys.exit(f"{method} {path}: {error.code} {error.read().decode()}")


class Database:
    """A database of this run's own on the tests' cluster."""

    def __init__(self):
        self.server = os.environ.get("DATABASE_URL") or sys.exit("DATABASE_URL is not set; run this by tests/run")
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/psql"), key=lambda p: int(p.parts[4]))
        self.psql = str(found[-1]) if found else shutil.which("psql") or sys.exit("psql is missing")
        self.name = f"ocore_fuzz_{os.getpid()}_{int(time.time())}"
        address, _, options = self.server.partition("?")
        self.url = address.rsplit("/", 1)[0] + "/" + self.name + (f"?{options}" if options else "")
        self.run(self.server, f"create database {self.name}")

    def run(self, url, sql):
        return subprocess.run([self.psql, url, "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", sql], check=True, text=True,
                              stdout=subprocess.PIPE).stdout.strip()

    def drop(self):
        self.run(self.server, f"drop database if exists {self.name} with (force)")


class Controller:
    """The controller under test, ended by its own id."""

    def __init__(self, database, directory):
        binary = Path(os.environ.get("OCORE_BIN_DIR") or sys.exit("OCORE_BIN_DIR is not set; run this by tests/run"))
        self.base = f"http://127.0.0.1:{free_port()}"
        self.log = directory / "controller.log"
        env = {
            **os.environ, "DATABASE_URL": database.url, "OCORE_DATA_DIR": str(directory / "data"),
            "OCORE_LISTEN": self.base.removeprefix("http://"), "OCORE_AGENTS_LISTEN": f"127.0.0.1:{free_port()}",
            "OCORE_PUBLIC_URL": self.base.replace("http:", "https:"), "OCORE_RATE_LIMIT_BURST": "0",
            # Names are looked up nowhere: nothing listens there.
            "OCORE_LOG": "info", "OCORE_DNS_SERVER": "127.0.0.1:9",
        }
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([binary / "ocore-controller", "serve"], env=env, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(self.base + "/ready", timeout=2).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    sys.exit("the controller does not get ready:\n" + self.log.read_text()[-4000:])
                time.sleep(0.1)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def prepare(base, database):
    """The first admin with something of each kind, and a second person for what one does to oneself."""
    admin = {"email": "ada@example.com", "password": PASSWORD, "name": "Ada", "organization_name": "Example"}
    first = call(base, "POST", "/api/auth/bootstrap", admin)
    token, organization = first["access_token"], first["user"]["organizations"][0]["id"]

    def make(path, body):
        return call(base, "POST", path, body, token)

    servers = [make("/api/servers", {"name": f"server-{i}"})["server"]["id"] for i in range(3)]
    for i in range(2):
        role = make("/api/roles", {"name": f"role-{i}", "permissions": ["view:servers"]})["id"]
        make("/api/service-accounts", {"name": f"robot-{i}"})
        make("/api/api-keys", {"name": f"key-{i}", "permissions": ["view:servers"]})
        make("/api/members/invite", {"email": f"bob{i}@example.com", "role_id": role})
    # No agent will ever carry these out: their first job waits for the server.
    database.run(database.url, "update servers set status = 'online', session_epoch = 1")
    for i, server in enumerate(servers):
        make("/api/instances", {"name": f"Shop {i}", "server_id": server, "admin_login": "admin", "admin_password": "a quiet shop 7"})
    return {"token": token, "person": first["user"]["id"], "organization": organization, "password": PASSWORD, "psql": database.psql,
            "database": database.url, "base": base}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("documents", nargs="*", help="documents to test; all that are there when left out")
    parser.add_argument("--examples", type=int, default=2, help="requests of each sort and operation")
    parser.add_argument("--only", default="", help="operations whose id matches this regular expression")
    parser.add_argument("--phases", default="examples,coverage,fuzzing")
    parser.add_argument("--seconds", type=int, default=0, help="stop after so long")
    parser.add_argument("--report", type=Path, help="write what failed here, as JSON lines")
    options = parser.parse_args()
    documents = options.documents or [d for d in SURFACES if (ROOT / d).exists()]

    tool = Path(os.environ.get("OCORE_SCHEMATHESIS") or shutil.which("schemathesis") or
                sys.exit("OCORE_SCHEMATHESIS is not set; run this by tests/run"))
    directory = Path(tempfile.mkdtemp(prefix="ocore-fuzz-", dir="/var/tmp"))
    database, controller, failed = Database(), None, []
    try:
        controller = Controller(database, directory)
        ground = directory / "ground.json"
        ground.write_text(json.dumps(prepare(controller.base, database)))
        for document in documents:
            surface = SURFACES[document]
            headers = [flag for name, value in surface["headers"].items() for flag in ("-H", f"{name}: {value}")]
            command = [
                tool, "--config-file", HERE / "schemathesis.toml", "run", ROOT / document, "--url", controller.base + surface["base"],
                "--max-examples", str(options.examples), "--seed", str(SEED), "--phases", options.phases,
                "--report-json-path", directory / "report.json", *headers,
            ]
            if options.only:
                command += ["--include-operation-id-regex", options.only]
            if options.seconds:
                command += ["--max-time", str(options.seconds)]
            if options.report:
                command += ["--report-ndjson-path", options.report]
            env = {**os.environ, "OCORE_FUZZ_GROUND": str(ground), "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"}
            print(f"--- {document}", flush=True)
            if subprocess.run(command, env=env, cwd=directory).returncode != 0:
                failed.append(document)
            # Whoever was locked out on the way has seen nothing but refusals since.
            known = json.loads(ground.read_text())
            call(controller.base, "GET", "/api/org", token=known["token"], organization=known["organization"])
        if controller.process.poll() is not None:
            failed.append("the controller, which has ended")
        panics = [line for line in controller.log.read_text(errors="replace").splitlines() if "panicked" in line or " ERROR " in line]
        if panics:
            failed.append("the controller's log:\n" + "\n".join(panics[:20]))
    finally:
        if controller:
            controller.stop()
        database.drop()
        shutil.rmtree(directory, ignore_errors=True)
    if failed:
        sys.exit("failed: " + ", ".join(failed))


if __name__ == "__main__":
    main()
