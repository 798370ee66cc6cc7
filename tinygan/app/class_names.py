"""Names of the classes of a run: the names of their folders, or their numbers, or the groups with their sizes."""

from __future__ import annotations

from .runs import Run, RunError
from .settings import Settings

LISTED = 20  # names in an error message, at most


def of(settings: Settings) -> list[str]:
    """Return a name for each class of G; an empty list if G is not conditional."""
    if not settings.preset.conditional:
        return []
    if settings.groups:
        return [f"group {i} ({size / sum(settings.groups):.1%})" for i, size in enumerate(settings.groups)]
    numbers = map(str, range(len(settings.class_names), settings.classes))
    return [*settings.class_names, *numbers][: settings.classes]


def captions(settings: Settings) -> list[str]:
    """Return the names to show beside the rows of a picture; an empty list if classes have only numbers."""
    return of(settings) if settings.groups or settings.class_names else []


def number(run: Run, wanted: int | str) -> int:
    """Return the number of a class. wanted: the name of its folder, or its number.

    If the name of any folder is itself a number, `wanted` must be the name of a folder. Raises RunError, with a list of
    the classes, if there is no such class.
    """
    known = range(len(of(run.settings)))
    choices = dict(zip(run.settings.class_names, known))
    if not any(map(str.isdecimal, choices)):
        choices |= {str(i): i for i in known}
    if str(wanted) not in choices:
        kind = "group" if run.settings.groups else "class"
        raise RunError(f"{run.folder} has no {kind} {wanted}: it has {listed(run.settings)}")
    return choices[str(wanted)]


def listed(settings: Settings) -> str:
    """Return a text that lists the classes."""
    known = of(settings)
    if not known:
        return "no classes"
    if not settings.class_names:
        return f"{'groups' if settings.groups else 'classes'} 0 to {len(known) - 1}"
    return ", ".join(known[:LISTED]) + (f" and {len(known) - LISTED} more" if len(known) > LISTED else "")
