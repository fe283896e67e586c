#!/usr/bin/env python3
"""docs/man/slipwayd.1 against what the program says of itself with --help."""

import functools
import os
import pathlib
import re
import shutil
import subprocess
import unittest

SLIPWAYD = str(pathlib.Path(os.environ["SLIPWAY_BIN"]) / "slipwayd")
MANUAL = pathlib.Path(__file__).resolve().parents[2] / "docs/man"
OPTION = re.compile(r"--[a-z0-9][a-z0-9-]*")
VARIABLE = re.compile(r"SLIPWAY_[A-Z_]*[A-Z]")
HELP = {"--help"}


@functools.cache
def told(*command):
    """What --help prints."""
    done = subprocess.run([SLIPWAYD, *command, "--help"], capture_output=True, text=True, timeout=60, check=False,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{command}: {done}"
    return done.stdout


def entries(text, heading):
    """Names below a heading of a help text, each with what is said of it: `{"--json": "answer as JSON"}`."""
    found = {}
    name = None
    for line in text.split(heading + ":\n", 1)[1].splitlines() if heading + ":\n" in text else []:
        head = re.match(r" {2}(?:-\w,)?(\S+)(.*)", line)
        if head:
            name = head.group(1)
            found[name] = head.group(2)
        elif name and line.startswith("   "):
            found[name] += " " + line.strip()
        else:
            break
    return found


def options(*command):
    """Options of a command, without --help."""
    return {name: text for name, text in entries(told(*command), "Options").items() if name not in HELP}


class Page:
    """A manual page: its sections, in each what stands behind `.TP`, and what is said of it."""

    def __init__(self, name):
        self.source = (MANUAL / name).read_text()
        self.text = self.plain(self.source)
        self.sections = {}
        where = tag = None
        for line in self.source.splitlines():
            if line.startswith((".SH ", ".SS ")):
                where = self.sections.setdefault(self.plain(line[4:]), {})
                tag = None
            elif line == ".TP":
                tag = ""
            elif tag == "":
                tag = self.plain(re.sub(r"^\.[BIR]+ ", "", line)).replace('"', "")
                where[tag] = ""
            elif tag:
                where[tag] += " " + self.plain(line)

    @staticmethod
    def plain(text):
        return re.sub(r"\\f.", "", text.replace("\\-", "-"))

    def options(self, section):
        """Options that have an entry of their own in a section, with what is said of them."""
        return {tag.split()[0]: text for tag, text in self.sections[section].items() if tag.startswith("--")}

    def commands(self, section):
        """Entries that are commands."""
        return [tag for tag in self.sections[section] if not tag.startswith("--")]


class Manual(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.page = Page("slipwayd.1")
        cls.commands = [line.split()[0] for line in told().split("Commands:\n")[1].split("\n\n")[0].splitlines()]

    def test_each_command_of_slipwayd_has_a_section_and_each_section_is_a_command(self):
        self.assertIn("serve", self.commands)
        sections = [line[4:].replace("\\-", "-") for line in self.page.source.splitlines() if line.startswith(".SS ")]
        self.assertEqual(sorted(sections), sorted(self.commands))

    def test_each_option_of_slipwayd_is_in_its_manual_and_each_of_the_manual_is_an_option(self):
        known = {"--version"} | HELP
        for command in self.commands:
            found = options(command)
            known |= set(found)
            self.assertEqual(sorted(self.page.options(command)), sorted(found), command)
        self.assertIn("--data-dir", known)
        for group in entries(told("admin"), "Subcommands"):
            for leaf in entries(told("admin", group), "Subcommands"):
                found = set(options("admin", group, leaf))
                known |= found
                tags = [t for t in self.page.commands("admin") if t == f"{group} {leaf}" or t.startswith(f"{group} {leaf} ")]
                self.assertEqual(len(tags), 1, f"admin {group} {leaf}")
                self.assertEqual(set(OPTION.findall(tags[0])), found, tags[0])
        self.assertEqual(set(OPTION.findall(self.page.text)) - known, set())

    def test_the_manual_of_slipwayd_names_no_command_of_admin_that_there_is_not(self):
        leaves = {f"{group} {leaf}" for group in entries(told("admin"), "Subcommands")
                  for leaf in entries(told("admin", group), "Subcommands")}
        self.assertEqual({" ".join(tag.split()[:2]) for tag in self.page.commands("admin")}, leaves)

    def test_variables_and_defaults_of_slipwayd_are_in_its_manual(self):
        known = set()
        for command in self.commands:
            known |= set(VARIABLE.findall(told(command)))
            for name, text in options(command).items():
                said = self.page.options(command)[name]
                for variable in VARIABLE.findall(text):
                    self.assertIn(variable, VARIABLE.findall(said), f"{command} {name}")
                for default in re.findall(r"\[([^]]+)\]", text):
                    self.assertRegex(said, rf"(?<![\w.]){re.escape(default)}(?!\w)", f"{command} {name}")
        self.assertIn("SLIPWAY_DATA_DIR", known)
        self.assertEqual(set(VARIABLE.findall(self.page.text)) - known, set())

    @unittest.skipUnless(shutil.which("groff"), "groff is not installed")
    def test_the_manual_pages_are_well_formed(self):
        for page in sorted(MANUAL.glob("*.1")):
            done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", page], capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""), page)


if __name__ == "__main__":
    unittest.main(verbosity=1)
