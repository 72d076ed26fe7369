"""The one exception that a user is meant to read."""


class UserError(Exception):
    """Something the user can mend: one plain sentence that says what is wrong, where, and what to do.

    The command line prints it on stderr without a traceback and exits with code 2.
    """
