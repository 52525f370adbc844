"""The command `countnest`, run in a process of its own or in this one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from countnest import version
from countnest.cli.main import main

PACKAGE = Path(version.__file__).parents[1]


def countnest(folder, *arguments):
    """Run the command in `folder` as a user does, in a process of its own, of the package that these tests import."""
    command = [sys.executable, "-m", "countnest", *map(str, arguments)]
    path = os.pathsep.join([str(PACKAGE), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def inside(folder, capsys, monkeypatch, *arguments):
    """Run the command in `folder` and in this process, which is faster."""
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return subprocess.CompletedProcess(arguments, left.value.code, captured.out, captured.err)
