"""Reading beside detecting: an iterator that runs ahead in a thread of its own."""

from collections.abc import Iterator
from queue import Full, Queue
from threading import Event, Thread
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

T = TypeVar("T")

_END: Final = object()


class Prefetch(Generic[T]):
    """What a source yields, which works ahead from now on by at most `depth` items.

    Polars frees the interpreter lock, so that two cores read and detect at once. An error of the
    source is raised here, after what came before it. Leaving the `with` block stops the source.
    """

    def __init__(self, source: Iterator[T], depth: int = 2) -> None:
        self._source = source
        self._items: Queue[object] = Queue(depth)
        self._stopped = Event()
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._work, name="reader", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def __iter__(self) -> Iterator[T]:
        while (item := self._items.get()) is not _END:
            yield item  # type: ignore[misc]
        if self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        try:
            for item in self._source:
                self._put(item)
                del item  # not to be held while the next one is made
                if self._stopped.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - raised again in the consumer's thread
            self._failure = error
        self._put(_END)

    def _put(self, item: object) -> None:
        while not self._stopped.is_set():
            try:
                self._items.put(item, timeout=0.1)
            except Full:
                continue
            return
