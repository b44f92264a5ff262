"""Flower's configuration. Flower runs this file, and takes each name in it that one of its options has.

Its other options may be set as Flower says, by FLOWER_* variables. `workers.flower_door` says who may look.
"""

import tempfile
from pathlib import Path

import click

from workers.app import settings
from workers.flower_door import credentials
from workers.flower_tasks import format_task

__all__ = ["format_task"]


def _can_write(folder: Path) -> bool:
    """Whether the history can be kept there; else that is said, and it is in memory alone."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        why = f"WAKEQUEUE_DATA_DIR = {str(folder)!r}: {error.strerror}"
        click.echo(f"wakequeue: Flower keeps its history in memory alone: {why}", err=True)
        return False
    return True


address = settings.flower_address.host
port = settings.flower_address.port
unix_socket = ""
basic_auth = credentials(settings)
#: Without a password there is no API, which the buttons of the pages need.
read_only = not basic_auth
debug = False
logging = "warning"

# What is shown.
tasks_columns = "name,args,state,result,received,runtime,worker,uuid"
natural_time = True

# What is kept, and where: what Flower wrote there it believes when it starts again, and moves aside where it can't read it.
max_tasks = 10_000
max_workers = 1_000
db = str(Path(settings.data_dir, "flower"))
persistent = _can_write(Path(settings.data_dir))
#: In milliseconds, as the next.
state_save_interval = 60_000

inspect_timeout = 1_000.0
#: In seconds: each start of a worker is a new name.
purge_offline_workers = 60
