"""What checks look at."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ingest.sources import FileSource, KafkaSource, files_among
from vedette.folders import secret_file, state_folder
from vedette.settings import Settings


@dataclass(frozen=True, slots=True)
class Surroundings:
    """An installation: its settings, where they come from, its folders, and the time.

    `variables` are the names of the environment's variables that are settings.
    """

    settings: Settings
    config: Path | None
    variables: Sequence[str]
    state: Path
    secret: Path
    now: datetime

    @classmethod
    def of(cls, settings: Settings, config: Path | None) -> "Surroundings":
        """Return those of this process."""
        variables = sorted(name for name in os.environ if name.startswith("VEDETTE_"))
        return cls(settings, config, variables, state_folder(), secret_file(), datetime.now(UTC))

    @property
    def logs(self) -> tuple[FileSource, ...]:
        """Sources that are files."""
        return files_among(self.settings.sources)

    @property
    def clusters(self) -> tuple[KafkaSource, ...]:
        """Sources that are topics."""
        return tuple(s for s in self.settings.sources if isinstance(s, KafkaSource))
