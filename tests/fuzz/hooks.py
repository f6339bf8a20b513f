"""What makes the requests meet something: credentials, and ids of objects that are there."""

import itertools
import json
import os
import subprocess
import threading
import urllib.error
import urllib.request
import uuid

import schemathesis
from schemathesis.core.failures import ServerError

with open(os.environ["OCORE_FUZZ_GROUND"]) as file:
    GROUND = json.load(file)

# A changing operation of these is about whoever calls it: their session, their password, their account.
ONESELF = {"user", "person"}
# The same for the organization; it is tried on one that is there for nothing else.
OWN_ORGANIZATION = {"organization_delete", "organization_transfer"}
# Names that another surface has for a collection.
ALIASES = {"nodes": "servers"}
PARAMETERS = {"userId": "members", "inviteId": "invites"}
ENDLESS = {"event_list"}
# A parameter of a body or a query -> the collection that its ids come from.
COLLECTIONS = {
    "server_id": "servers", "environment_id": "environments", "project_id": "projects", "role_id": "roles",
    "instance_id": "instances", "service_account_id": "service-accounts", "user_id": "members", "job_id": "jobs",
}

lock = threading.Lock()
turn = itertools.count()
spares = itertools.count()
ids = {}
spare = {"token": None}


def ask(method, path, body=None, token=None):
    request = urllib.request.Request(GROUND["base"] + path, method=method,
                                     data=None if body is None else json.dumps(body).encode())
    request.add_header("content-type", "application/json")
    request.add_header("x-org-slug", GROUND["organization"])
    if token:
        request.add_header("authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError:
        return None


def is_uuid(value):
    try:
        return str(uuid.UUID(str(value))) == value
    except ValueError:
        return False


def known(collection):
    """Ids of the collection, read anew now and then as they come and go."""
    with lock:
        calls, found = ids.get(collection, (0, []))
        if calls % 25 == 0:
            listed = ask("GET", f"/api/{collection}?limit=50", token=GROUND["token"]) or {}
            found = [entry.get("id") for entry in listed.get("data", [])]
            # Whoever asks stays who they are.
            found = [found_id for found_id in found if is_uuid(found_id) and found_id != GROUND["person"]]
        ids[collection] = (calls + 1, found)
        return found


def a_real_one(collection, is_last_one_needed):
    found = known(collection)
    if not found or (is_last_one_needed and len(found) < 4):
        return None
    return found[next(turn) % len(found)]


def somebody_else():
    """A session of a person whom nobody misses."""
    with lock:
        if spare["token"] and ask("GET", "/api/user", token=spare["token"]):
            return spare["token"]
        # Each document has a process of its own, and all have one database.
        address = f"spare{next(spares)}.{os.getpid()}@example.com"
        sql = f"""
            with u as (insert into users (id, email, name, password_hash)
                       select gen_random_uuid(), '{address}', 'Spare', password_hash from users where is_admin limit 1 returning id),
                 m as (insert into memberships (organization_id, user_id) select '{GROUND["organization"]}', id from u)
            insert into grants (id, organization_id, principal_type, principal_id, role_id, scope_type, scope_id)
            select gen_random_uuid(), r.organization_id, 'user', u.id, r.id, 'organization', r.organization_id
            from u, roles r where r.organization_id = '{GROUND["organization"]}' and r.name = 'developer'"""
        subprocess.run([GROUND["psql"], GROUND["database"], "-qX", "-v", "ON_ERROR_STOP=1", "-c", sql], check=True)
        answer = ask("POST", "/api/auth/login", {"email": address, "password": GROUND["password"]})
        spare["token"] = answer["access_token"]
        return spare["token"]


@schemathesis.hook
def before_call(context, case, kwargs):
    definition = case.operation.definition.raw
    permission, name = definition.get("x-permission"), definition.get("x-canonical-id", definition.get("operationId"))
    changes = case.method.upper() not in ("GET", "HEAD", "OPTIONS")
    deletes = case.method.upper() == "DELETE"
    # `servers` of /api/servers/{id}/metrics, `admin/users` of /api/admin/users/{id}.
    collection = "/".join(case.operation.path.split("{")[0].strip("/").split("/")[1:])
    path = dict(case.path_parameters or {})
    first = next((name for name in path if is_uuid(path[name])), None)
    if "orgId" in path and next(turn) % 4:
        path["orgId"] = GROUND["organization"]
    if first and collection and next(turn) % 4:
        wanted = PARAMETERS.get(first, ALIASES.get(collection, collection))
        path[first] = a_real_one(wanted, deletes) or path[first]
    case.path_parameters = path
    for values in (case.body, case.query):
        if isinstance(values, dict):
            for key, kept in COLLECTIONS.items():
                if is_uuid(values.get(key)):
                    values[key] = a_real_one(kept, False) or values[key]
    # A log that is followed ends with its job; what is there already ends by itself.
    query = definition.get("parameters", [])
    if any(p.get("name") == "follow" and p.get("in") == "query" for p in query):
        asked = (case.query or {}).get("follow", 1)
        if str(asked).isdigit():
            case.query = {**(case.query or {}), "follow": 0}
    # A minute's patience is documented; nothing is learnt from waiting for it.
    if isinstance(case.query, dict) and str(case.query.get("wait", "")).isdigit():
        case.query["wait"] = 0
    # Without an end: one event is read, of those that were missed, then the stream is left.
    if name in ENDLESS:
        case.headers["Accept"] = "text/event-stream"
        case.headers["Last-Event-ID"] = "0-0"

    headers = case.headers
    if permission != "public":
        own = permission in ONESELF and changes
        headers["Authorization"] = "Bearer " + (somebody_else() if own else GROUND["token"])
    headers["X-Org-Slug"] = GROUND["organization"]
    if name in OWN_ORGANIZATION:
        made = ask("POST", "/api/orgs", {"name": f"Passing {next(turn)}"}, token=GROUND["token"])
        headers["X-Org-Slug"] = made["id"]
        case.path_parameters = {key: made["id"] if key == "orgId" else value for key, value in path.items()}


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """503 is the documented answer where a server's agent is needed, and none is there; it must say when to come back."""
    return not (response is not None and response.status_code == 503 and response.headers.get("retry-after")
                and isinstance(failure, ServerError))
