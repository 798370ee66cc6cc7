"""Write the tables of the README. Each table is between two marks: <!-- name --> and <!-- end of name -->."""

from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def write(name, text):
    """Replace the text between the marks of this name in the README."""
    before, rest = README.read_text().split(f"<!-- {name} -->\n")
    after = rest.split(f"<!-- end of {name} -->")[1]
    README.write_text(f"{before}<!-- {name} -->\n{text}<!-- end of {name} -->{after}")
