"""The bench: a photo comes in, is judged in its turn, logged, and only then told."""

import hashlib
import time
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from evalharness.config import ServeConfig
from evalharness.console import console, warn
from evalharness.serving.judging import Judged, NotAPhoto, PhotoJudge
from evalharness.serving.kept_photos import keep_photo
from evalharness.serving.pictures import RecentPictures
from evalharness.serving.refusals import RefusalError, not_a_photo
from evalharness.serving.verdict_log import VerdictLog, WatchedFile
from evalharness.serving.worker import Worker

MAX_NAME = 120


class Bench:
    """One model, its log and its queue.

    Args:
        run: Name of the evaluation that judges.
        judge: The model.
        log: Of the verdicts.
        pictures: Of the last ones.
        config: The `serve` section.
    """

    def __init__(
        self, run: str, judge: PhotoJudge, log: VerdictLog, pictures: RecentPictures, config: ServeConfig
    ) -> None:
        self.run, self.judge, self.log, self.pictures, self.config = run, judge, log, pictures, config
        self.worker = Worker(config.max_queue)

    def submit(
        self, content: bytes, *, name: str, source: str, watched: WatchedFile | None = None
    ) -> "Future[dict[str, Any]]":
        """Puts a photo into the queue, where a place was taken for it.

        Args:
            content: Of the file.
            name: As the person calls it.
            source: `upload`, `camera` or `folder`.
            watched: The file, if it lies in the watched folder.

        Returns:
            The verdict as it is told; a `RefusalError` where the file is no photo.
        """
        return self.worker.submit(lambda: self._judge_safely(content, name=name, source=source, watched=watched))

    def correct(self, number: int, values: Mapping[str, Any]) -> dict[str, Any]:
        """Logs what a person says of a verdict.

        Args:
            number: Of the verdict.
            values: `{"is_right": true | false}` or `{"class": name}`.

        Raises:
            RefusalError: The values say something else, or there is no such verdict.
        """
        match values:
            case {"is_right": bool(is_right), **others} if not others:
                return self.log.add_correction(number, is_right=is_right, class_name=None)
            case {"class": str(name), **others} if not others and name in self.judge.classes:
                return self.log.add_correction(number, is_right=None, class_name=name)
        classes = ", ".join(self.judge.classes)
        raise RefusalError(
            422, "correction", "the correction cannot be used",
            expected=f'{{"is_right": true}}, {{"is_right": false}} or {{"class": one of {classes}}}',
        )  # fmt: skip

    def told(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """An answer of the log with where its pictures are."""
        number = answer["id"]
        has_map = self.pictures.has_map(number)
        return {
            **answer,
            "photo": f"/photo/{number}.jpg" if self.pictures.has_photo(number) else None,
            "map": f"/map/{number}.png" if has_map else None,
        }

    def close(self) -> None:
        """Finishes the photo that is being judged; the pictures go, the log stays."""
        self.worker.close()
        self.pictures.clear()

    def _judge_safely(self, content: bytes, *, name: str, source: str, watched: WatchedFile | None) -> dict[str, Any]:
        """Whatever happens to one photo, the next one is judged."""
        try:
            return self._judge(content, name=name, source=source, watched=watched)
        except RefusalError:
            raise
        except OSError as error:
            warn(f"a verdict could not be logged, and was not told: {error}")
            raise RefusalError(
                507, "not_logged", "the verdict could not be logged", got=error.strerror,
                fix="Make room on the disk, and send it again",
            ) from None  # fmt: skip
        except Exception:  # noqa: BLE001 - told in the terminal, and the next photo is judged
            console.print_exception()
            raise RefusalError(
                500, "fault", "a fault in evalharness", fix="The terminal of `evalharness serve` tells more"
            ) from None

    def _judge(self, content: bytes, *, name: str, source: str, watched: WatchedFile | None) -> dict[str, Any]:
        start = time.perf_counter()
        if not content:
            raise not_a_photo("the file is empty (0 bytes)")
        number, digest = self.log.next_id, hashlib.sha256(content).hexdigest()
        path = self.pictures.put(number, content)
        try:
            found = self._ask(path)
            if self.config.keep is not None:
                keep_photo(self.config.keep, digest, content)
            line = self.log.add_verdict(
                {
                    "run": self.run,
                    "image": shown_name(name),
                    "source": source,
                    "sha256": digest,
                    **_said(found),
                    "duration_s": round(time.perf_counter() - start, 4),
                    "is_kept": self.config.keep is not None,
                    "watched": watched,
                }
            )
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        self.pictures.keep(number, path, found.density)
        return self.told(self.log.answer(line))

    def _ask(self, path: Path) -> Judged:
        found = self.judge.judge(path)
        if isinstance(found, NotAPhoto):
            raise not_a_photo(found.reason)
        return found


def shown_name(name: str) -> str:
    """The last part of a name, without what no name needs: folders, control characters, great length."""
    last = Path(name.replace("\\", "/")).name
    return "".join(letter for letter in last if letter.isprintable())[-MAX_NAME:] or "photo"


def _said(found: Judged) -> dict[str, Any]:
    return {
        "belief": found.belief,
        "class": found.class_name,
        "confidence": round(found.confidence, 6),
        "risk": None if found.risk is None else round(found.risk, 6),
        "top": [{"class": name, "probability": round(prob, 6)} for name, prob in found.top],
        "reasons": list(found.reasons),
        "warnings": list(found.warnings),
    }
