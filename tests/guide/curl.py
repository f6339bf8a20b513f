#!/usr/bin/env python3
"""Runs the lines of the guide's pages against a controller of its own, and compares what comes back with what is printed.

A page's ```sh blocks run in one shell, in their order. The ```http blocks below each are the answers that it prints, one
for each `curl -i`: status, some headers, and a body in which … stands for anything. tests/run calls it. By hand:

    OCORE_BIN_DIR=target/debug DATABASE_URL=postgres://... tests/guide/curl.py [PAGE...]
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "fuzz"))
from api import PASSWORD, Controller, Database, call  # noqa: E402

PAGES = ["api", "keys", "webhooks", "audit", "projects", "configuration", "databases", "domains"]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def steps_of(page):
    """Each block of lines, with the answers that are printed below it."""
    steps = []
    for language, text in FENCE.findall(page):
        if language == "sh":
            steps.append((text, []))
        elif language == "http":
            steps[-1][1].append(text)
    return steps


def pattern_of(text):
    """… is anything; the lines of a body are one text."""
    return ".*?".join(map(re.escape, text.split("…")))


def answers_of(output):
    """What `curl -i` wrote, cut at each status line. A body need not end with a line's end."""
    return re.split(r"(?=HTTP/1\.1 \d\d\d )", output)[1:]


def problem_of(printed, got):
    """What of an answer is not as it is printed."""
    head, _, body = printed.partition("\n\n")
    got_head, _, got_body = got.replace("\r\n", "\n").partition("\n\n")
    status, *headers = head.strip().splitlines()
    got_status, *got_headers = got_head.splitlines()
    if got_status.strip() != status:
        return f"status '{got_status}' instead of '{status}'"
    for header in headers:
        if not any(re.fullmatch(pattern_of(header), line.strip(), re.IGNORECASE) for line in got_headers):
            return f"no header like '{header}' in {got_headers}"
    # Objects may be broken into lines for whoever reads them.
    body = "".join(line.strip() for line in body.splitlines())
    if body and not re.fullmatch(pattern_of(body), got_body.strip(), re.DOTALL):
        return "another body"
    return None


def run(page, variables):
    """Run a page; the number of answers that were compared."""
    steps = steps_of((ROOT / "controller/docs" / f"{page}.md").read_text())
    with tempfile.TemporaryDirectory(prefix="ocore-guide-") as directory:
        script = "set -euo pipefail\n"
        script += "".join(f"{{\n{lines}}} > {directory}/{number}\n" for number, (lines, _) in enumerate(steps))
        done = subprocess.run(["bash", "-c", script], env=variables, text=True, stderr=subprocess.PIPE, check=False, timeout=120)
        if done.returncode:
            sys.exit(f"{page}.md: its lines end with {done.returncode}: {done.stderr}")
        compared = 0
        for number, (lines, printed) in enumerate(steps):
            # Bytes as they came: line ends separate the head from the body.
            got = answers_of((Path(directory) / str(number)).read_bytes().decode())
            if len(got) != len(printed):
                sys.exit(f"{page}.md: {len(got)} answers, {len(printed)} are printed, of\n{lines}\n{''.join(got)}")
            for expected, answer in zip(printed, got):
                if problem := problem_of(expected, answer):
                    sys.exit(f"{page}.md: {problem}, of\n{lines}\nprinted:\n{expected}\nanswered:\n{answer}")
                compared += 1
    return compared


def main():
    pages = sys.argv[1:] or PAGES
    with tempfile.TemporaryDirectory(prefix="ocore-guide-", dir="/var/tmp") as directory:
        # Each page begins on a fresh controller, as its reader may.
        for page in pages:
            database = Database()
            controller = None
            try:
                own = Path(directory) / page
                own.mkdir()
                controller = Controller(database, own)
                admin = {"email": "ada@example.com", "password": PASSWORD, "name": "Ada", "organization_name": "Example"}
                token = call(controller.base, "POST", "/api/auth/bootstrap", admin)["access_token"]
                call(controller.base, "POST", "/api/servers", {"name": "iron-1"}, token)
                # No agent will ever carry anything out: what is asked for waits.
                database.run(database.url, "update servers set status = 'online', session_epoch = 1")
                variables = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(own), "OCORE": controller.base}
                # The first page tells how to come by them.
                if page != "api":
                    made = call(controller.base, "POST", "/api/api-keys", {"name": "the reader's", "permissions": ["*"]}, token)
                    variables |= {"TOKEN": token, "KEY": made["key"]}
                print(f"{page}.md: {run(page, variables)} answers are as they are printed")
            finally:
                if controller:
                    controller.stop()
                database.drop()


if __name__ == "__main__":
    main()
