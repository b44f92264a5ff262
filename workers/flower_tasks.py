"""How Flower's pages show our tasks: what a doorbell is about at a glance, and what came of it in words.

The whole of a doorbell's arguments, as far as `wakequeue.broker` tells of them, is what Flower's search looks through.
"""

import ast
import re
from typing import Final

from celery.events.state import Task

#: How many Revisions of a doorbell are named.
NAMED: Final = 3


def format_task(task: Task) -> Task:
    """A copy of Flower's, to be shown: with its arguments, and with its result where it has one."""
    task.args = _shortened((task.args or "").removeprefix("(").removesuffix(")"))
    if task.result:
        task.result = _in_words(task.result)
    return task


def _shortened(text: str) -> str:
    doorbell = re.fullmatch(r"(\d+ Revisions?: )(.*)", text)
    if not doorbell:
        return text
    names = doorbell[2].split(", ")
    return doorbell[1] + ", ".join([*names[:NAMED], *(["..."] if len(names) > NAMED else [])])


def _in_words(text: str) -> str:
    """`{'taken': 2, 'reported': 2, 'buried': 0}` as `taken 2, reported 2`."""
    try:
        numbers = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text
    if not isinstance(numbers, dict):
        return text
    return ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in numbers.items() if number) or "nothing was due"
