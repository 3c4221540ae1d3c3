"""Batches: order, bounds, failures, and no thread left behind."""

import threading

import numpy as np
import pytest

from evalharness.dataset import batches, iterate_batches, load_image


@pytest.fixture
def dataset(bench):
    for number in range(23):
        bench.photo(f"{number:02}.png", seed=number)
    return bench.load(bench.csv(*[(f"{number:02}.png", "x") for number in range(23)]))


@pytest.fixture
def iterate(bench, dataset):
    def start(positions, *, batch_size=4, num_workers=2):
        return iterate_batches(
            dataset,
            np.asarray(positions, np.int64),
            image_size=(8, 12),
            config=bench.config(),
            batch_size=batch_size,
            num_workers=num_workers,
        )

    return start


def decode_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


@pytest.mark.parametrize(("batch_size", "num_workers"), [(4, 2), (1, 3), (100, 2), (23, 1)])
def test_images_in_order(bench, dataset, iterate, batch_size, num_workers):
    found = list(iterate(range(23), batch_size=batch_size, num_workers=num_workers))
    assert [len(batch.positions) for batch in found[:-1]] == [batch_size] * (len(found) - 1)
    np.testing.assert_array_equal(np.concatenate([batch.positions for batch in found]), np.arange(23))
    images = np.concatenate([batch.images for batch in found])
    for position, sample in enumerate(dataset.samples):
        expected = load_image(sample.path, image_size=(8, 12), config=bench.config())
        np.testing.assert_array_equal(images[position], expected)


def test_any_positions(iterate):
    found = list(iterate([20, 3, 7, 1, 0], batch_size=2))
    assert [batch.positions.tolist() for batch in found] == [[20, 3], [7, 1], [0]]


def test_no_positions(iterate):
    assert list(iterate([])) == []


def test_failures_are_told_and_the_rest_goes_on(dataset, iterate):
    for position in (1, 4, 5, 6, 7):
        dataset.samples[position].path.unlink()
    found = list(iterate(range(10)))
    assert [batch.positions.tolist() for batch in found] == [[0, 2, 3], [], [8, 9]]
    assert found[0].failures == ((1, "no such file"),)
    assert [position for position, _ in found[1].failures] == [4, 5, 6, 7]
    assert found[1].images.shape == (0, 8, 12, 3)
    assert found[1].images.dtype == np.uint8
    assert found[2].failures == ()


@pytest.mark.parametrize(("batch_size", "num_workers", "bound"), [(4, 2, 12), (1, 3, 5), (8, 1, 24)])
def test_decoding_runs_ahead_but_not_far(iterate, monkeypatch, batch_size, num_workers, bound):
    """The bound is the batch in hand and `1 + ceil(workers / batch size)` others."""
    num_decoded = 0
    lock = threading.Lock()
    original = batches.load_image

    def count(*args, **kwargs):
        nonlocal num_decoded
        with lock:
            num_decoded += 1
        return original(*args, **kwargs)

    monkeypatch.setattr(batches, "load_image", count)
    num_submitted = 0
    original_submit = batches.ThreadPoolExecutor.submit

    def submit(self, *args, **kwargs):
        nonlocal num_submitted
        num_submitted += 1
        return original_submit(self, *args, **kwargs)

    monkeypatch.setattr(batches.ThreadPoolExecutor, "submit", submit)
    num_consumed = 0
    most_outstanding = 0
    for batch in iterate(range(23), batch_size=batch_size, num_workers=num_workers):
        outstanding = num_submitted - num_consumed
        most_outstanding = max(most_outstanding, outstanding)
        # What is submitted beyond this batch is ahead of the consumer, until the end of the list.
        assert outstanding > len(batch.positions) or num_submitted == 23
        num_consumed += len(batch.positions)
    assert most_outstanding == min(bound, 23)
    assert num_decoded == num_submitted == 23


def test_decoding_goes_on_while_the_consumer_works(iterate, monkeypatch):
    """The images of the next batch are decoded before the consumer asks for it."""
    original = batches.load_image
    decoded = threading.Semaphore(0)

    def signal(*args, **kwargs):
        image = original(*args, **kwargs)
        decoded.release()
        return image

    monkeypatch.setattr(batches, "load_image", signal)
    iterator = iterate(range(23))
    next(iterator)
    assert all(decoded.acquire(timeout=60) for _ in range(12))
    assert not decoded.acquire(blocking=False)
    iterator.close()


def test_several_threads_decode_at_once(iterate, monkeypatch):
    meeting = threading.Barrier(2, timeout=60)
    original = batches.load_image

    def meet(*args, **kwargs):
        meeting.wait()
        return original(*args, **kwargs)

    monkeypatch.setattr(batches, "load_image", meet)
    assert sum(len(batch.positions) for batch in iterate(range(8))) == 8


def test_an_abandoned_iterator_leaves_no_thread(iterate):
    iterator = iterate(range(23))
    next(iterator)
    assert decode_threads()
    iterator.close()
    assert decode_threads() == []


def test_an_exception_in_the_consumer_leaves_no_thread(iterate):
    iterator = iterate(range(23))
    next(iterator)
    with pytest.raises(ZeroDivisionError):
        iterator.throw(ZeroDivisionError)
    assert decode_threads() == []


def test_a_bug_in_the_loader_is_raised_and_leaves_no_thread(iterate, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("a bug")

    monkeypatch.setattr(batches, "load_image", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        list(iterate(range(23)))
    assert decode_threads() == []


def test_nothing_is_decoded_before_the_first_batch_is_asked_for(iterate):
    iterate(range(23))
    assert decode_threads() == []
