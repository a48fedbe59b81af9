"""Apprise, set up for one target; apart from targets, as it takes long to load."""

import logging

from apprise import Apprise, AppriseAsset, PersistentStoreMode

from alerts.routing.target import DELIVERY_SECONDS, Target, TargetError


def service_of(target: Target) -> Apprise:
    """Return Apprise set up for the target alone. Raises TargetError."""
    _hear_apprise()
    asset = AppriseAsset(
        app_id="Vedette",
        app_desc="Vedette",
        app_url="",
        image_url_mask="",  # nothing in a message is fetched from elsewhere
        async_mode=False,
        http_redirects=False,
        interpret_emojis=False,
        interpret_escapes=False,
        storage_mode=PersistentStoreMode.MEMORY,
        service_timeout=DELIVERY_SECONDS,
        allow_templates=False,
    )
    service = Apprise(asset=asset)
    if not service.add(target.url.get_secret_value()):
        raise TargetError(
            f"target {target.name}: its address is not one that Apprise knows; see"
            " https://appriseit.com/services/ for how to write it"
        )
    return service


def _hear_apprise() -> None:
    """Have Apprise say all to whoever asks for a result, and nothing to the program's log."""
    logger = logging.getLogger("apprise")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False  # it names addresses and passwords
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
