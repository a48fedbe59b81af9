"""What came of a delivery, and how a repeat is told from a second message."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

#: Header of requests and mails: the same for every repeat.
IDEMPOTENCY_HEADER: Final = "Idempotency-Key"

#: Field of JSON, form and XML messages.
IDEMPOTENCY_FIELD: Final = "idempotency_key"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether a message was delivered, and if not, why.

    After a `permanent` error another attempt would meet the same; `retry_after` is what the
    receiver asks for.
    """

    delivered: bool
    error: str | None = None
    permanent: bool = False
    retry_after: timedelta | None = None
