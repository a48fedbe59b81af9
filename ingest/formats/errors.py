"""The error of patterns that cannot be read."""


class FormatError(ValueError):
    """A pattern that cannot be read; says what and where."""
