"""What the bench answers to programs: verdicts, corrections, pictures, tables, and a message for whatever is wrong."""

import csv
import io
import json
import socket
import struct
import threading
import time
import zlib

import numpy as np
import pytest
from PIL import Image
from stub_bench import CLASSES, REASONS, judge_colour, photo, running_bench

from evalharness.serving.verdict_log import NUM_RECENT


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    with running_bench(tmp_path_factory.mktemp("log"), max_bytes=200_000) as running:
        yield running


@pytest.fixture
def client(bench):
    return bench.client


def lines(bench):
    return [json.loads(line) for line in bench.log.path.read_text().splitlines()]


def test_a_verdict_is_told_and_logged(bench, client):
    status, verdict = client.inspect(photo(), "red%20one.png")
    assert status == 200
    assert (verdict["belief"], verdict["class"], verdict["image"]) == ("believe", "red", "red one.png")
    assert verdict["confidence"] == pytest.approx(200 / 260, abs=1e-5)
    assert verdict["top"][0] == {"class": "red", "probability": verdict["confidence"]}
    assert verdict["reasons"] == [REASONS["believe"]]
    (logged,) = [line for line in lines(bench) if line.get("id") == verdict["id"]]
    assert {name: logged[name] for name in ("belief", "class", "confidence", "sha256", "run")} == {
        name: verdict[name] for name in ("belief", "class", "confidence", "sha256", "run")
    }


def test_no_class_is_said_of_what_is_unknown(client):
    _, verdict = client.inspect(photo((90, 90, 90)))
    assert (verdict["belief"], verdict["class"]) == ("unknown", None)


def test_photo_and_map_are_drawn(client):
    _, verdict = client.inspect(photo(size=(80, 40)))
    for name, kind in (("photo", "JPEG"), ("map", "PNG")):
        status, headers, content = client.ask("GET", verdict[name])
        assert (status, headers["content-type"]) == (200, f"image/{kind.lower()}")
        with Image.open(io.BytesIO(content)) as image:
            assert (image.format, image.size) == (kind, (80, 40))
            pixels = np.asarray(image.convert("RGB")).astype(int)
        # The map is hot at the bottom right, where the density is.
        if name == "map":
            assert pixels[-1, -1].sum() > pixels[0, 0].sum() + 100


def test_old_pictures_go_and_their_verdicts_stay(bench, client):
    _, first = client.inspect(photo())
    for _ in range(NUM_RECENT):
        client.inspect(photo())
    assert client.json("GET", first["photo"])[0] == 404
    assert len(list((bench.log.path.parent / "recent").iterdir())) == NUM_RECENT
    assert client.json("POST", f"/verdicts/{first['id']}/correction", '{"is_right": true}')[0] == 200


def test_corrections_are_logged_and_the_last_one_counts(bench, client):
    _, verdict = client.inspect(photo())
    address = f"/verdicts/{verdict['id']}/correction"
    assert client.json("POST", address, '{"is_right": false}')[1]["is_right"] is False
    assert client.json("POST", address, '{"class": "green"}')[1]["class"] == "green"
    found = [line for line in lines(bench) if line["type"] == "correction" and line["verdict"] == verdict["id"]]
    assert [(line["is_right"], line["class"]) for line in found] == [(False, None), (None, "green")]
    _, told = client.json("GET", f"/verdicts?after={verdict['id'] - 1}")
    assert told["verdicts"][0]["correction"] == {"is_right": None, "class": "green"}


@pytest.mark.parametrize(
    "body", ["", "nonsense", "[]", '{"is_right": 1}', '{"class": "yellow"}', '{"is_right": true, "class": "red"}']
)
def test_a_correction_that_says_something_else(client, body):
    _, verdict = client.inspect(photo())
    status, told = client.json("POST", f"/verdicts/{verdict['id']}/correction", body)
    assert (status, told["code"]) == (422, "correction")
    assert "class" in told["error"]


def test_what_names_no_class_is_neither_right_nor_wrong(client):
    _, verdict = client.inspect(photo((90, 90, 90)))
    address = f"/verdicts/{verdict['id']}/correction"
    assert client.json("POST", address, '{"is_right": true}')[0] == 422
    assert client.json("POST", address, '{"class": "red"}')[0] == 200
    assert client.json("POST", "/verdicts/99999/correction", '{"class": "red"}')[0] == 404


def test_the_table_has_every_verdict_and_no_formula(client):
    _, verdict = client.inspect(photo(), "%3D1%2B1.png")
    client.json("POST", f"/verdicts/{verdict['id']}/correction", '{"is_right": true}')
    _, headers, content = client.ask("GET", "/verdicts.csv")
    assert "attachment" in headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    assert [int(row["id"]) for row in rows] == list(range(1, verdict["id"] + 1))
    assert rows[-1]["image"] == "'=1+1.png"
    assert (rows[-1]["said"], rows[-1]["said_class"]) == ("right", "red")


def test_counts_and_trend(client):
    before = client.json("GET", "/verdicts")[1]["summary"]
    for colour in ((200, 0, 0), (120, 100, 20), (90, 90, 90)):
        client.inspect(photo(colour))
    after = client.json("GET", "/verdicts")[1]["summary"]
    assert {name: after["counts"][name] - before["counts"][name] for name in after["counts"]} == {
        "believe": 1, "check": 1, "unknown": 1,
    }  # fmt: skip
    assert sum(map(sum, after["trend"]["bins"].values())) == after["num_verdicts"]


def bomb():
    """A PNG of few bytes that claims very many pixels."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("content", "status", "told"),
    [
        (b"", 422, "the file is empty"),
        (b"no photo", 422, "not an image"),
        (bomb(), 422, "60000 x 60000 pixels"),
        (photo()[:60], 422, "cannot be"),
        (photo(size=(400, 300), file_format="JPEG")[:1000], 422, "decoded completely"),
        (bytes(200_001), 413, "at most 0.2 MB"),
    ],
)
def test_bad_files_get_a_message_and_the_next_photo_a_verdict(bench, client, content, status, told):
    num_before = bench.log.next_id
    found, answer = client.inspect(content)
    assert found == status
    assert told in answer["error"]
    assert str(bench.log.path.parent) not in json.dumps(answer)
    assert bench.log.next_id == num_before
    assert client.inspect(photo())[0] == 200


def test_a_large_upload_is_refused_before_it_is_read(client):
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as connection:
        connection.sendall(b"POST /inspect HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_large_upload_that_does_not_tell_its_length(client):
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as connection:
        connection.sendall(b"POST /inspect HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(3):
            connection.sendall(b"%x\r\n%s\r\n" % (100_000, bytes(100_000)))
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_cut_connection_is_no_verdict_and_frees_its_place(bench, client):
    num_before = bench.log.next_id
    for _ in range(bench.bench.config.max_queue + 2):
        with socket.create_connection(("127.0.0.1", client.port)) as connection:
            connection.sendall(b"POST /inspect HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf")
        time.sleep(0.02)
    deadline = time.monotonic() + 10
    while client.inspect(photo())[0] != 200:
        assert time.monotonic() < deadline
    assert bench.log.next_id == num_before + 1


def test_a_form_is_told_how_to_send(client):
    status, answer = client.inspect(b"--x", Content_Type="multipart/form-data; boundary=x")
    assert (status, answer["code"]) == (415, "form")
    assert "--data-binary" in answer["error"]


def test_addresses_and_methods_that_there_are_not(client):
    assert client.json("GET", "/etc/passwd")[0] == 404
    assert client.json("GET", "/../bench.py")[0] == 404
    assert client.json("GET", "/inspect")[0] == 405
    assert client.json("GET", "/health") == (200, {"status": "ready", "run": "colours", "classes": list(CLASSES)})


def test_japanese_where_it_is_asked_for(client):
    _, verdict = client.inspect(photo(), Accept_Language="ja,en;q=0.5")
    assert "90 %" in verdict["reasons"][0]
    assert "誤り" in verdict["reasons"][0]
    _, refused = client.inspect(b"", Accept_Language="ja")
    assert refused["error"] == "写真を読み込めません：ファイルが空です（0 バイト）"


def test_a_full_queue_is_told_when_to_come_again(tmp_path):
    may_go = threading.Event()

    def wait(path):
        may_go.wait(20)
        return judge_colour(path)

    with running_bench(tmp_path, judge=wait, max_queue=2) as running:
        answers = []
        threads = [
            threading.Thread(target=lambda: answers.append(running.client.inspect(photo())[0])) for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 10
        while running.bench.worker._places._value and time.monotonic() < deadline:
            time.sleep(0.01)
        status, headers, content = running.client.ask("POST", "/inspect", photo())
        assert (status, json.loads(content)["code"]) == (503, "queue_full")
        assert int(headers["retry-after"]) >= 1
        may_go.set()
        for thread in threads:
            thread.join()
        assert answers == [200, 200]


def test_a_fault_is_told_without_its_details_and_the_service_lives(tmp_path, capsys):
    def fail_once(path):
        if running.log.next_id == 1 and not failed:
            failed.append(1)
            raise RuntimeError("secret /place")
        return judge_colour(path)

    failed = []
    with running_bench(tmp_path, judge=fail_once) as running:
        status, answer = running.client.inspect(photo())
        assert (status, answer["code"]) == (500, "fault")
        assert "secret" not in answer["error"]
        assert running.client.inspect(photo())[0] == 200


def test_a_verdict_that_cannot_be_logged_is_not_told(tmp_path, monkeypatch):
    with running_bench(tmp_path) as running:
        running.client.inspect(photo())
        before = running.log.path.read_bytes()
        monkeypatch.setattr("evalharness.serving.log_file.os.fsync", full_disk)
        status, answer = running.client.inspect(photo())
        assert (status, answer["code"]) == (507, "not_logged")
        assert running.log.path.read_bytes() == before
        monkeypatch.undo()
        assert running.client.inspect(photo())[1]["id"] == 2


def full_disk(_):
    raise OSError(28, "No space left on device")


def test_clients_at_once_lose_nothing_and_keep_their_order(tmp_path):
    with running_bench(tmp_path) as running:
        got = {}

        def send(number):
            got[number] = [running.client.inspect(photo((9 * turn, 0, 99)))[1]["id"] for turn in range(15)]

        threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(ids == sorted(ids) for ids in got.values())
        assert sorted(number for ids in got.values() for number in ids) == list(range(1, 61))
