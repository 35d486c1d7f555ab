"""The one exception the library raises for input a person can put right."""


class ModelError(ValueError):
    """A setting, file or array that cannot be used; the message says what to do."""
