"""Optional packages: the extras of pyproject.toml."""

from pathlib import Path

CLONE = (Path(__file__).parent.parent / "pyproject.toml").exists()


def pip_install(extra: str) -> str:
    """Return the command that installs an extra, for a clone or for an installed package."""
    return f'pip install -e ".[{extra}]"' if CLONE else f'pip install "tinygan[{extra}]"'  # for every shell
