"""A folder whose new photos are judged when they are whole."""

import stat
from collections import deque
from collections.abc import Iterator, Set
from concurrent.futures import CancelledError
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

from evalharness.console import warn
from evalharness.errors import ConfigError
from evalharness.folders import IMAGE_SUFFIXES, SYSTEM_PREFIXES
from evalharness.serving.bench import Bench
from evalharness.serving.refusals import RefusalError, not_a_photo, too_large
from evalharness.serving.verdict_log import WatchedFile

LOOK_EVERY_S = 0.5
LOOKS_TO_TRY = 2
"""At which a file is as before: it is then tried."""
LOOKS_TO_TELL = 10
"""At which a file that cannot be read is told: until then it may still be coming."""
MAX_PROBLEMS = 10


@dataclass(slots=True)
class _Seen:
    file: WatchedFile
    num_looks: int = 1


class FolderWatch:
    """Looks into a folder again and again.

    Args:
        bench: Judges what is found.
        folder: Not its sub-folders.
        judged: Files that an earlier bench judged.

    Raises:
        ConfigError: There is no such folder.
    """

    def __init__(self, bench: Bench, folder: Path, judged: Set[WatchedFile]) -> None:
        if not folder.is_dir():
            raise ConfigError("no such folder", got=folder, where="serve.watch")
        self._bench, self._folder = bench, folder
        self._done = set(judged)
        self._seen: dict[str, _Seen] = {}
        self._end = Event()
        self._thread = Thread(target=self._run, name="watch", daemon=True)
        self.problems: deque[dict[str, Any]] = deque(maxlen=MAX_PROBLEMS)
        """Files that cannot be judged, and why, as `name` and `refusal`."""

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def stop(self) -> None:
        """Ends after the photo that is being judged."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Judges the files that are whole: unchanged since the look before, and readable."""
        found = list(self._files())
        names = {file[0] for _, file in found}
        self._seen = {name: seen for name, seen in self._seen.items() if name in names}
        self._done = {file for file in self._done if file[0] in names}
        for path, file in found:
            if file in self._done or self._end.is_set():
                continue
            seen = self._seen.get(path.name)
            if seen is None or seen.file != file:
                self._seen[path.name] = _Seen(file)
                continue
            seen.num_looks += 1
            if seen.num_looks in (LOOKS_TO_TRY, LOOKS_TO_TELL):
                self._judge(path, seen)

    def _run(self) -> None:
        is_told = False
        while not self._end.wait(LOOK_EVERY_S):
            try:
                self.look()
                is_told = False
            except OSError as error:
                if not is_told:
                    warn(f"serve.watch: the folder cannot be read: {error.strerror or error}; it is tried again")
                is_told = True
            except CancelledError:
                return

    def _files(self) -> Iterator[tuple[Path, WatchedFile]]:
        """Oldest first."""
        found = []
        for path in self._folder.iterdir():
            if path.suffix.lower() not in IMAGE_SUFFIXES or path.name.startswith((".", *SYSTEM_PREFIXES)):
                continue
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            if stat.S_ISREG(status.st_mode):
                found.append((path, (path.name, status.st_size, status.st_mtime_ns)))
        yield from sorted(found, key=lambda entry: (entry[1][2], entry[1][0]))

    def _judge(self, path: Path, seen: _Seen) -> None:
        try:
            if seen.file[1] > self._bench.config.max_bytes:
                raise too_large(self._bench.config.max_bytes)
            with self._bench.worker.place():
                content = path.read_bytes()
                self._bench.submit(content, name=path.name, source="folder", watched=seen.file).result()
        except RefusalError as refusal:
            self._refuse(path, seen, refusal)
        except FileNotFoundError:
            return
        except OSError as error:
            self._refuse(path, seen, not_a_photo(f"the file cannot be read: {error.strerror or error}"))
        else:
            self._done.add(seen.file)

    def _refuse(self, path: Path, seen: _Seen, refusal: RefusalError) -> None:
        if refusal.code == "queue_full":
            # Looked at again next time, as if for the first.
            seen.num_looks -= 1
        elif seen.num_looks >= LOOKS_TO_TELL or refusal.code == "too_large":
            seen.num_looks = LOOKS_TO_TELL
            self.problems.append({"name": path.name, "refusal": refusal})
            warn(f"{path.name}: {refusal}")
