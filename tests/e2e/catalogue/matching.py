"""What an answer has to be: patterns that are compared with it, and the words that lists of requests are written in."""

import re


class Pattern:
    """Something that a value is or is not."""

    def __init__(self, name, holds):
        self.name = name
        self.holds = holds

    def __repr__(self):
        return self.name


def _is(kind, name):
    return Pattern(name, lambda v: isinstance(v, kind) and not (kind is int and isinstance(v, bool)))


ANY = Pattern("ANY", lambda v: True)
INT = _is(int, "INT")
TEXT = _is(str, "TEXT")
BOOL = _is(bool, "BOOL")
DOCUMENT = _is((dict, list), "DOCUMENT")
DATE = Pattern("DATE", lambda v: isinstance(v, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", v) is not None)
JSON_TEXT = TEXT
UNIQUE = Pattern("UNIQUE", lambda v: isinstance(v, str) and "unique" in v)


def matching(expression):
    return Pattern(f"matching({expression})", lambda v: isinstance(v, str) and re.search(expression, v) is not None)


def ref(row):
    """A reference that is not expanded."""
    return {"__id": row}


class Has(dict):
    """An object with these members and any others; a plain dict is one with exactly these."""


class Some(list):
    """A list in which each of these is somewhere; a plain list is one of exactly these, in order."""


def has(**members):
    return Has(members)


def difference(wanted, found, where="answer"):
    """Why `found` is not what is wanted, or None."""
    if isinstance(wanted, Pattern):
        return None if wanted.holds(found) else f"{where}: wanted {wanted}, found {found!r}"
    if isinstance(wanted, dict):
        return _object(wanted, found, where)
    if isinstance(wanted, Some):
        return _some(wanted, found, where)
    if isinstance(wanted, list):
        return _list(wanted, found, where)
    same = type(wanted) is type(found) and wanted == found
    return None if same else f"{where}: wanted {wanted!r}, found {found!r}"


def _object(wanted, found, where):
    if not isinstance(found, dict):
        return f"{where}: wanted an object, found {found!r}"
    if not isinstance(wanted, Has) and set(wanted) != set(found):
        return f"{where}: wanted members {sorted(wanted)}, found {sorted(found)}"
    for name, value in wanted.items():
        if name not in found:
            return f"{where}: wanted a member {name}, found {sorted(found)}"
        why = difference(value, found[name], f"{where}.{name}")
        if why:
            return why
    return None


def _list(wanted, found, where):
    if not isinstance(found, list) or len(wanted) != len(found):
        return f"{where}: wanted {len(wanted)} members {wanted!r}, found {found!r}"
    for i, (w, f) in enumerate(zip(wanted, found)):
        why = difference(w, f, f"{where}[{i}]")
        if why:
            return why
    return None


def _some(wanted, found, where):
    if not isinstance(found, list):
        return f"{where}: wanted a list, found {found!r}"
    for w in wanted:
        whys = [difference(w, f, where) for f in found]
        if all(whys):
            return f"{where}: nothing is {w!r}: {whys[:3]}"
    return None


class Request:
    """One request, the status of its answer and facts about it. Words in braces stand for what the world has under that name."""

    def __init__(self, method, path, body=None, status=200, answer=None, role=None, keep=None, headers=None, raw=None,
                 text=None):
        self.method = method
        self.path = path
        self.body = body
        self.status = status
        self.answer = answer    # a pattern of the JSON; "" = an empty body; None = anything
        self.role = role        # who asks; None = the case's role
        self.keep = keep or {}  # name in the world -> path into the answer
        self.headers = headers or {}
        self.raw = raw
        self.text = text        # a pattern of the whole body

    def __repr__(self):
        return f"{self.method} {self.path}"


class Case:
    """The requests of one row of the catalogue, in order."""

    def __init__(self, section, name, *requests, role="user", whoami=None):
        self.section = section
        self.name = name
        self.requests = requests
        self.role = role
        # Nearly every command asks who it is before anything else (balena-api.md 0.1).
        self.whoami = role != "guest" if whoami is None else whoami


def model(path):
    return path if path.startswith("/") else "/v7/" + path


def get(path, *rows, **more):
    """A read that answers exactly these rows, in order."""
    return Request("GET", model(path), answer={"d": list(rows)}, **more)


def find(path, *rows, **more):
    """A read whose answer has these rows among others."""
    return Request("GET", model(path), answer={"d": Some(rows)}, **more)


def fetch(path, answer=None, **more):
    """A read of something that is no row."""
    return Request("GET", path, answer=answer, **more)


def count(path, n, **more):
    return Request("GET", model(path), answer={"d": n}, **more)


def make(resource, body, keep=None, status=201, **members):
    """A creation, answered with the whole object."""
    kept = {keep: "id"} if isinstance(keep, str) else keep
    return Request("POST", model(resource), body, status, Has({"id": INT, "created_at": DATE, "modified_at": DATE, **members}), keep=kept)


def taken(resource, body):
    """A creation that is refused because something with this name is there: clients look for a word in a text (balena-api.md 0.3)."""
    return Request("POST", model(resource), body, 409, UNIQUE)


def post(path, body=None, answer=None, **more):
    return Request("POST", model(path), body, answer=answer, **more)


def patch(path, body, **more):
    return Request("PATCH", model(path), body, answer="", **more)


def delete(path, **more):
    return Request("DELETE", model(path), answer="", **more)


def refused(method, path, status, body=None, answer=JSON_TEXT, **more):
    return Request(method, model(path), body, status, answer, **more)
