"""The log: on the disk before it is told, whole after a kill, held by one bench; and what becomes of it."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from stub_bench import photo, running_bench

from evalharness.cli.export import export
from evalharness.errors import ConfigError, ResultsError
from evalharness.serving.log_file import NAME
from evalharness.serving.tables import export_log
from evalharness.serving.verdict_log import VerdictLog

SAID = {"belief": "check", "class": "red", "image": "a.png", "sha256": "0" * 64, "reasons": []}


@pytest.fixture
def log(tmp_path):
    found = VerdictLog(tmp_path)
    yield found
    found.close()


def again(log):
    log.close()
    return VerdictLog(log.path.parent)


def test_a_new_start_goes_on_where_the_last_one_ended(log):
    for _ in range(3):
        log.add_verdict(SAID)
    log.add_correction(2, is_right=None, class_name="green")
    told, summary = log.verdicts_after(0), log.summary()
    reopened = again(log)
    assert reopened.next_id == 4
    assert reopened.verdicts_after(0) == told
    assert reopened.summary() == summary
    reopened.close()


@pytest.mark.parametrize(
    "half", [b'{"type":"verdict","id":3,"belief":"che', b"\x00" * 5000, '{"type":"ü'.encode()[:-1]]
)
def test_a_half_line_is_cut_off_and_said(log, half, capsys):
    log.add_verdict(SAID)
    log.add_verdict(SAID)
    log.close()
    whole = log.path.read_bytes()
    log.path.write_bytes(whole + half)
    reopened = VerdictLog(log.path.parent)
    assert log.path.read_bytes() == whole
    assert "not whole" in capsys.readouterr().err
    assert reopened.add_verdict(SAID)["id"] == 3
    reopened.close()


def test_a_log_that_is_one_half_line(tmp_path):
    (tmp_path / NAME).write_bytes(b'{"type":"star')
    log = VerdictLog(tmp_path)
    assert (tmp_path / NAME).read_bytes() == b""
    log.close()


@pytest.mark.parametrize("damage", [b"nonsense\n", b"[]\n", b'{"type":"else"}\n'])
def test_a_damaged_line_is_told_and_nothing_is_lost(log, damage):
    log.add_verdict(SAID)
    log.close()
    content = log.path.read_bytes() + damage
    log.path.write_bytes(content)
    for _ in range(2):
        with pytest.raises(ResultsError, match="line 2"):
            VerdictLog(log.path.parent)
    assert log.path.read_bytes() == content


def test_verdicts_that_are_missing_are_told(log):
    for _ in range(3):
        log.add_verdict(SAID)
    log.close()
    first, _, third = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(first + third)
    with pytest.raises(ResultsError, match="expected verdict 2, got 3"):
        VerdictLog(log.path.parent)


def test_one_bench_a_log(log):
    with pytest.raises(ConfigError, match="in use"):
        VerdictLog(log.path.parent)


KILLED = """
import sys
from pathlib import Path
from evalharness.serving.verdict_log import VerdictLog
log = VerdictLog(Path(sys.argv[1]))
while True:
    print(log.add_verdict({"belief": "check", "class": "red", "image": "x" * 3000})["id"], flush=True)
"""


def test_what_was_told_before_a_kill_is_in_the_log(tmp_path):
    with subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        told = [int(process.stdout.readline()) for _ in range(30)]
        os.kill(process.pid, signal.SIGKILL)
        told += [int(line) for line in process.stdout.read().splitlines() if line]
    log = VerdictLog(tmp_path)
    assert log.next_id > told[-1]
    log.close()


def test_what_people_said_of_believed_verdicts_is_counted(log):
    for belief in ("believe", "believe", "believe", "check"):
        log.add_verdict({**SAID, "belief": belief})
    log.add_correction(1, is_right=True, class_name=None)
    log.add_correction(2, is_right=None, class_name="red")
    log.add_correction(3, is_right=None, class_name="blue")
    log.add_correction(4, is_right=False, class_name=None)
    assert log.summary()["said"] == {"num": 4, "num_believed": 3, "num_believed_wrong": 1}
    log.add_correction(3, is_right=True, class_name=None)
    assert log.summary()["said"]["num_believed_wrong"] == 0


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_export_makes_the_next_evaluation_of_kept_photos(tmp_path, capsys):
    log = tmp_path / "log"
    with running_bench(log) as running:
        lost = running.client.inspect(photo((9, 9, 200)))[1]
        running.client.json("POST", f"/verdicts/{lost['id']}/correction", '{"is_right": true}')
    with running_bench(log, keep=tmp_path / "kept") as running:
        for number, said in enumerate(['{"is_right": true}', '{"class": "green"}', '{"is_right": false}', None]):
            verdict = running.client.inspect(photo((200, 0, 0), size=(40, 30 + number), file_format="JPEG"))[1]
            if said:
                running.client.json("POST", f"/verdicts/{verdict['id']}/correction", said)
    out = tmp_path / "out"
    assert export([str(log), "--to", str(out)]) == 0
    assert "1 photos with a label were not kept" in capsys.readouterr().err
    labelled = rows(out / "next_evaluation.csv")
    assert [row["label"] for row in labelled] == ["red", "green"]
    assert Path(labelled[0]["path"]).read_bytes() == photo((200, 0, 0), file_format="JPEG")
    assert labelled[0]["path"].endswith(".jpg")
    assert [(row["label"], row["sha256"]) for row in rows(out / "missing_photos.csv")] == [("blue", lost["sha256"])]
    assert [row["said"] for row in rows(out / "verdicts.csv")] == ["right", "right", "", "wrong", ""]
    assert export_log(log, out).num_labelled == 2


def test_export_does_not_mix_with_other_files(log, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="mix with other files"):
        export_log(log.path.parent, tmp_path / "out")


def test_lines_are_plain_json(log):
    log.add_verdict({**SAID, "image": "写真.png"})
    (line,) = log.path.read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["image"] == "写真.png"
    assert json.loads(line)["time"].endswith("+00:00")
