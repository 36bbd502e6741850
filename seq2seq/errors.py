"""The one exception for mistakes that the user can fix."""


class UserError(Exception):
    """Something the user can fix: bad input, a bad recipe, a missing file.

    The message says where (file, line, recipe key), what is wrong, and how to fix it.
    The command line prints it without a traceback and exits with code 2.
    """

    every_process = False
    """Of several processes, whether each of them says it; otherwise the first one does, for all."""


class MissingFile(UserError):
    """A file or folder that a recipe names is not there."""
