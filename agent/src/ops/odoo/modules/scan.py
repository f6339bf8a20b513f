"""The modules on Odoo's addons path, as one JSON array on standard output.

Runs inside Odoo's container with nothing but Python's own library, and imports nothing of Odoo: a module that is broken is
listed with what is wrong with it. Arguments: odoo.conf, then a JSON object {"checksums": bool, "languages": [codes]}.
"""

import ast
import configparser
import fnmatch
import hashlib
import importlib.util
import json
import os
import sys

# What says nothing about whether a database has to be updated.
EXCLUDED = ("*.pyc", "*.pyo", "i18n/*.pot", "i18n_extra/*.pot", "static/*", "tests/*")
TRANSLATIONS = ("i18n", "i18n_extra")


def addons_paths(conf):
    """Directories in the order in which Odoo looks for a module: what is configured, then its own."""
    parser = configparser.RawConfigParser()
    parser.read(conf)
    text = parser.get("options", "addons_path", fallback="")
    paths = [part.strip() for part in text.split(",") if part.strip()]
    spec = importlib.util.find_spec("odoo")
    for root in spec.submodule_search_locations if spec else []:
        paths += [os.path.join(root, "addons"), os.path.join(os.path.dirname(root), "addons")]
    return [path for path in dict.fromkeys(paths) if os.path.isdir(path)]


def files(top, languages):
    """Paths below a module that its checksum covers, each directory's before those of the ones in it."""
    for directory, names, found in os.walk(top):
        names.sort()
        below = os.path.relpath(directory, top)
        below = "" if below == "." else below
        for name in sorted(found):
            path = os.path.join(below, name)
            if any(fnmatch.fnmatch(path, pattern) for pattern in EXCLUDED):
                continue
            stem, extension = os.path.splitext(name)
            if below in TRANSLATIONS and extension == ".po" and stem not in languages:
                continue
            yield path


def checksum(top, languages):
    digest = hashlib.sha1()
    for path in files(top, languages):
        digest.update(path.encode("utf-8"))
        with open(os.path.join(top, path), "rb") as content:
            digest.update(content.read())
    return digest.hexdigest()


def module(path, options):
    """One module; `problem` says why Odoo cannot read it."""
    told = {"path": path, "name": os.path.basename(path)}
    try:
        with open(os.path.join(path, "__manifest__.py"), encoding="utf-8") as manifest:
            data = ast.literal_eval(manifest.read())
        told["version"] = str(data.get("version", "1.0"))
        told["depends"] = [str(name) for name in data.get("depends") or []]
        told["installable"] = bool(data.get("installable", True))
        needs = (data.get("external_dependencies") or {}).get("python") or []
        told["python"] = [str(name) for name in needs]
    except Exception as problem:  # whatever stands there, Odoo has to live with it too
        told["problem"] = "%s: %s" % (type(problem).__name__, problem)
        return told
    if told["installable"] and not path.startswith(options["own"]):
        told["problem"] = syntax_problem(path)
    if options.get("checksums"):
        told["checksum"] = checksum(path, options["languages"])
    return told


def syntax_problem(path):
    """The first of the module's files that Python cannot read; None when all is well."""
    for directory, names, found in os.walk(path):
        names.sort()
        for name in sorted(found):
            if not name.endswith(".py"):
                continue
            file = os.path.join(directory, name)
            try:
                with open(file, "rb") as source:
                    ast.parse(source.read(), filename=file)
            except (SyntaxError, ValueError) as problem:
                line = getattr(problem, "lineno", None) or "?"
                return "%s, line %s: %s" % (os.path.relpath(file, path), line, getattr(problem, "msg", problem))
    return None


def main():
    options = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
    languages = set(options.get("languages") or [])
    languages |= {code.split("_")[0] for code in languages}
    options["languages"] = languages
    # Odoo's own modules are taken as they are.
    options["own"] = tuple(path + os.sep for path in addons_paths(os.devnull))
    found, seen = [], set()
    for root in addons_paths(sys.argv[1]):
        for name in sorted(os.listdir(root)):
            path = os.path.join(root, name)
            if name in seen or not os.path.isfile(os.path.join(path, "__manifest__.py")):
                continue
            seen.add(name)
            found.append(module(path, options))
    json.dump(found, sys.stdout)


main()
