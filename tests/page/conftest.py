"""What the tests of the page share with those of the API."""

from tests.api.conftest import api

__all__ = ["api"]
