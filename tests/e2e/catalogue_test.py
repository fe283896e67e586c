#!/usr/bin/env python3
"""Every request of the catalogue of clients' requests (balena-api.md 4.8 to 4.13) and every line of the OData checklist (4.14), against a real
slipwayd. The lists are in catalogue/: one case per row, named by its section."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from catalogue import cases, matching  # noqa: E402
from catalogue.world import World  # noqa: E402

WORLD = None


def setUpModule():
    global WORLD
    WORLD = World()


def tearDownModule():
    try:
        assert WORLD.server.stop() == 0, WORLD.server.text()
    finally:
        WORLD.server.remove()


class RowOfTheCatalogue(unittest.TestCase):
    def __init__(self, case):
        super().__init__("run_requests")
        self.case = case

    def __str__(self):
        return f"{self.case.section} {self.case.name}"

    id = __str__

    def shortDescription(self):
        return None

    def run_requests(self):
        if self.case.whoami:
            self.assertEqual(WORLD.clients[self.case.role].get("/actor/v1/whoami").status, 200)
        for request in self.case.requests:
            self.ask(request)

    def ask(self, request):
        client = WORLD.clients[request.role or self.case.role]
        path = WORLD.said(request.path)
        answer = client.send(request.method, path, WORLD.said(request.body), headers=WORLD.said(request.headers), raw=WORLD.said(request.raw))
        told = f"{request.method} {path}\n  -> {answer}"
        self.assertEqual(answer.status, request.status, told)
        if request.text is not None:
            self.assertIsNone(matching.difference(request.text, answer.text), told)
        if request.answer == "":
            self.assertEqual(answer.text, "", told)
        elif request.answer is not None and request.answer is not matching.ANY:
            try:
                found = answer.json
            except ValueError:
                self.fail("no JSON: " + told)
            why = matching.difference(WORLD.said(request.answer), found)
            self.assertIsNone(why, f"{why}\n{told}")
        for name, at in request.keep.items():
            WORLD.keep(name, at, answer)


def load_tests(_loader, _tests, _pattern):
    suite = unittest.TestSuite()
    for case in cases.ALL:
        suite.addTest(RowOfTheCatalogue(case))
    return suite


if __name__ == "__main__":
    unittest.main(verbosity=1, warnings="ignore")
