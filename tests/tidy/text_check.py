#!/usr/bin/env python3
"""Rules for text: no path of one developer's machine, no open end without its issue's number, and docs/behaviours.md
names only tests that exist. With --self-test it checks itself on made-up lines."""

import re
import sys

import tree

MACHINE_PATH = re.compile(r"(?<![\w.~$}\])/-])/(work|home/\w+|Users)/")
OPEN_END = re.compile(r"\b(TODO|FIXME|XXX)\b(?!\(#\d+\))")
CATCH = re.compile(r'(?:TEST_CASE|SCENARIO|TEST_CASE_METHOD|TEMPLATE_TEST_CASE)\s*\(\s*(?:\w+\s*,\s*)?((?:"(?:[^"\\]|\\.)*"\s*)+)')
CTEST = re.compile(r"NAME\s+(\w+)")
PYTHON = re.compile(r"^\s*def\s+(test_\w+)", re.M)
QUOTED = re.compile(r'`([^`]+)`|"([^"]+)"')


def line_complaint(line):
    """What is wrong with a line of text, or None."""
    if MACHINE_PATH.search(line):
        return "names a path of one machine"
    if OPEN_END.search(line):
        return "open end without an issue number"
    return None


def known_tests():
    """Names of all tests: Catch2 sentences, ctest names, Python test functions, and files under tests/."""
    names = set()
    for path in sorted((tree.ROOT / "tests").rglob("*")):
        if path.suffix not in {".cpp", ".txt", ".py", ""} or not path.is_file():
            continue
        names.add(str(path.relative_to(tree.ROOT)))
        text = path.read_text(errors="replace")
        if path.suffix == ".cpp":
            for match in CATCH.finditer(text):
                names.add("".join(re.findall(r'"((?:[^"\\]|\\.)*)"', match.group(1))).replace('\\"', '"'))
        elif path.suffix == ".py":
            names.update(PYTHON.findall(text))
        else:
            names.update(CTEST.findall(text))
    return names


def tests_of_row(line):
    """Test names of one row `| promise | tests |`, quoted or separated by semicolons; [] for other lines."""
    cells = [c.strip() for c in line.strip().strip("|").split("|")]
    if not line.strip().startswith("|") or len(cells) != 2 or set(cells[1]) <= set("-: "):
        return []
    if cells[1].lower() in ("test", "tests", "test name", "test names", "test name(s)"):
        return []
    quoted = [a or b for a, b in QUOTED.findall(cells[1])]
    return quoted or [t.strip() for t in cells[1].split(";") if t.strip()]


def promise_rows(text):
    """Rows of tables whose second heading speaks of tests: a glossary in the same page is none of our business."""
    relevant = False
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip().startswith("|"):
            relevant = False
            continue
        cells = [c.strip().lower() for c in line.strip().strip("|").split("|")]
        if len(cells) == 2 and cells[1].startswith("test"):
            relevant = True
        if relevant:
            yield number, line


def behaviours():
    page = tree.ROOT / "docs" / "behaviours.md"
    if not page.exists():
        return 0
    names = known_tests()
    wrong = 0
    for number, line in promise_rows(page.read_text()):
        for test in tests_of_row(line):
            if test not in names:
                wrong += 1
                print(f"docs/behaviours.md:{number}: no such test: {test}")
    return wrong


def self_test():
    assert line_complaint("see /work/" + "x") and line_complaint("/home/" + "joe/src")
    assert line_complaint("// TO" + "DO: later") and not line_complaint("// TO" + "DO(#12): later")
    assert not line_complaint("var/work/x and https://host/work/x".replace("https://host", "https:host"))
    assert tests_of_row("| it holds | `a`, \"b c\" |") == ["a", "b c"]
    assert tests_of_row("| it holds | one; two |") == ["one", "two"]
    assert tests_of_row("| --- | --- |") == [] and tests_of_row("prose") == []
    assert "tests/tidy/text_check.py" in known_tests()
    print("text: self-test passed")


def main():
    if "--self-test" in sys.argv:
        self_test()
        return 0
    wrong = 0
    files = 0
    for file in tree.text_files():
        if file.parts[:2] == ("tests", "tidy"):
            continue
        files += 1
        for number, line in enumerate((tree.ROOT / file).read_text(errors="replace").splitlines(), 1):
            what = line_complaint(line)
            if what:
                wrong += 1
                print(f"{file}:{number}: {what}")
    wrong += behaviours()
    print(f"text: {files} files checked, {wrong} wrong")
    return 1 if wrong or not files else 0


if __name__ == "__main__":
    sys.exit(main())
