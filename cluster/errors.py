"""The one exception that the command line turns into a single line for people.

It must carry what is wrong and what to do about it; anything else that escapes is a bug and keeps its traceback.
"""


class ClusterError(Exception):
    """Something a user can mend: a missing program, a taken port, a full disk."""
