"""What all groups of cases share."""

import unittest

WORLD = None   # the suite sets it before it runs anything


class Cases(unittest.TestCase):
    """A group with a person of its own; groups run beside each other and share nothing but the server."""

    @classmethod
    def setUpClass(cls):
        cls.world = WORLD
        cls.ann = cls.world.person(cls.__name__.lower()[:8])

    def says(self, done, *words):
        for word in words:
            self.assertIn(str(word), done.out, done)
