"""What all tests may use."""

pytest_plugins = [
    "tests.broker.fixtures",
    "tests.databases.fixtures",
    "tests.receivers.fixtures",
    "tests.vedette.hours",
]
