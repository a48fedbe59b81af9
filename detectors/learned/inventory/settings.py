"""What people may set about the inventory: [inventory]."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from ingest.route_documents import RouteDocument


class InventorySettings(BaseModel):
    """How endpoints are watched."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    learning_days: int = Field(
        default=7,
        ge=1,
        le=90,
        description="days with answers of a service before a route of it can be new",
    )
    tell_again_days: int = Field(
        default=7,
        ge=1,
        le=400,
        description="days after which an endpoint is told again if it is still there",
    )
    _documents: tuple[RouteDocument, ...] = PrivateAttr(default=())

    @property
    def documents(self) -> tuple[RouteDocument, ...]:
        """The documents of [routes]; none unless they were given by `with_documents`."""
        return self._documents

    def with_documents(self, documents: Sequence[RouteDocument]) -> "InventorySettings":
        """Return the settings with the OpenAPI documents that endpoints are held against."""
        found = self.model_copy()
        found._documents = tuple(documents)  # noqa: SLF001 - its own
        return found
