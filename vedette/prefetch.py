"""Reading beside detecting: an iterator that runs ahead in a thread of its own."""

from collections.abc import Iterator
from queue import Full, Queue
from threading import Event, Thread
from typing import Final, TypeVar

T = TypeVar("T")

_END: Final = object()


def prefetch(source: Iterator[T], depth: int = 2) -> Iterator[T]:
    """Yield what the source yields, which works ahead by at most `depth` items.

    Polars frees the interpreter lock, so that two cores read and detect at once. An error of the
    source is raised here, after what came before it. A consumer that stops early stops it.
    """
    items: Queue[object] = Queue(depth)
    stopped = Event()
    failure: list[BaseException] = []

    def put(item: object) -> None:
        while not stopped.is_set():
            try:
                items.put(item, timeout=0.1)
            except Full:
                continue
            return

    def work() -> None:
        try:
            for item in source:
                put(item)
                if stopped.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - raised again in the consumer's thread
            failure.append(error)
        put(_END)

    thread = Thread(target=work, name="reader", daemon=True)
    thread.start()
    try:
        while (item := items.get()) is not _END:
            yield item  # type: ignore[misc]
        if failure:
            raise failure[0]
    finally:
        stopped.set()
        thread.join()
