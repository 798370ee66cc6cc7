"""Names of the classes of a run: of the folders of its images, or their numbers, or groups with their shares."""

from __future__ import annotations

from .runs import Run, RunError
from .settings import Settings

LISTED = 20  # names in an error message


def of(settings: Settings) -> list[str]:
    """Return a name for each class that G takes; none if it takes no classes."""
    if not settings.preset.conditional:
        return []
    if settings.groups:
        return [f"group {i} ({size / sum(settings.groups):.1%})" for i, size in enumerate(settings.groups)]
    numbers = map(str, range(len(settings.class_names), settings.classes))
    return [*settings.class_names, *numbers][: settings.classes]


def captions(settings: Settings) -> list[str]:
    """Return the names to write beside the rows of a picture; none if they are only the numbers of the rows."""
    return of(settings) if settings.groups or settings.class_names else []


def number(run: Run, wanted: int | str) -> int:
    """Return the number of the class `wanted`, the name of its folder or its number.

    If folders have numbers as names, only these count. Raises RunError, which lists what there is.
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
    """Return in words what classes there are."""
    known = of(settings)
    if not known:
        return "no classes to choose from"
    if not settings.class_names:
        return f"{'groups' if settings.groups else 'classes'} 0 to {len(known) - 1}"
    return ", ".join(known[:LISTED]) + (f" and {len(known) - LISTED} more" if len(known) > LISTED else "")
