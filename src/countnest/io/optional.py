"""Libraries that are needed for some files only."""

from __future__ import annotations

import importlib
from typing import Any

from countnest.errors import OptionError

__all__ = ["optional_library"]


def optional_library(library: str, extra: str, what: str) -> Any:  # noqa: ANN401 (a module)
    """Return a library that an extra installs; `OptionError` tells how to install it.

    Parameters
    ----------
    library, extra
        The name of the library, and that of the extra.
    what
        What needs it, for the message: 'a workbook of Excel'.
    """
    try:
        return importlib.import_module(library)
    except ImportError as error:
        raise OptionError(
            f"{what} needs {library}, which is not installed: pip install 'countnest[{extra}]'."
        ) from error
