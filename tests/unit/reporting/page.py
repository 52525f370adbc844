"""A page as a program reads it: the data that its script works with."""

import base64
import json
import re

import numpy as np

TYPES = {"u1": "<u1", "u2": "<u2", "u4": "<u4", "f4": "<f4", "f8": "<f8"}


def held(text, name="data"):
    """Return the JSON in the script of this name."""
    (found,) = re.findall(rf'<script type="application/json" id="{name}">(.*?)</script>', text, flags=re.DOTALL)
    return json.loads(found)


def unpacked(packed):
    values = np.frombuffer(base64.b64decode(packed["data"]), dtype=TYPES[packed["type"]])
    return values.reshape(packed["shape"])


def column(question, name):
    """Return a column of a question as an array."""
    (found,) = [each for each in question["columns"] if each["name"] == name]
    if found["kind"] == "text":
        return np.array(found["values"])
    values = unpacked(found["values"])
    return np.array(found["levels"])[values] if found["kind"] == "level" else values
