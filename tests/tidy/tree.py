"""Which files are ours: shared by the checks of this folder."""

import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = [
    "actors", "agent", "bench", "cli", "domain", "gateways", "messages", "runtime", "storage", "tests",
]
CODE = {".cpp", ".hpp"}
TEXT = {".cpp", ".hpp", ".py", ".md", ".cmake", ".txt", ".json", ".yml", ".yaml", ".sh", ".js", ".ts", ".css", ".html", ""}


def code_files():
    """C++ files of the tree, relative to its root."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in CODE and path.is_file():
                yield path.relative_to(ROOT)


def text_files():
    """Everything that people read or edit, without what builds leave behind."""
    skipped = {"build", "node_modules", ".git", "dist", "__pycache__", "corpus", "golden"}
    for path in sorted(ROOT.rglob("*")):
        relative = path.relative_to(ROOT)
        if path.is_file() and path.suffix in TEXT and not skipped.intersection(relative.parts):
            yield relative
