"""`evalharness serve` with a tiny real ViT: says what `inspect` says, logs it, and ends by Ctrl-C."""

import http.client
import json
import os
import signal
import socket
import threading
import time

import pytest

import evalharness
from evalharness.cli.main import main


@pytest.fixture(scope="module")
def evaluated(tiny_run, tmp_path_factory):
    runs_dir = tmp_path_factory.mktemp("runs")
    return evalharness.evaluate(tiny_run.overrides(runs_dir, attention__methods=["grad_attention"]))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def ask(port, method, address, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, address, body)
    answer = connection.getresponse()
    return answer.status, answer.read()


def talk(port, photos, answers):
    """Waits for the bench, sends it photos, and presses Ctrl-C."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            answers.append(ask(port, "GET", "/health"))
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    answers += [ask(port, "POST", "/inspect?name=a.jpg", photo) for photo in photos]
    answers += [ask(port, "GET", "/map/1.png"), ask(port, "GET", "/")]
    os.kill(os.getpid(), signal.SIGINT)


def test_it_says_what_inspect_says_and_logs_it(evaluated, tiny_run, tmp_path, capsys):
    paths = [tiny_run.root / path for path in evaluated.samples["path"][:2]]
    answers = []
    port = free_port()
    client = threading.Thread(target=talk, args=(port, [*(path.read_bytes() for path in paths), b"text"], answers))
    client.start()
    run = ["--run", str(evaluated.folder), f"runs_dir={tmp_path}"]
    assert main(["serve", *run, f"serve.port={port}", f"serve.keep={tmp_path / 'kept'}"]) == 0
    client.join()
    said = " ".join(capsys.readouterr().err.split())
    assert f"ready: http://127.0.0.1:{port}/ ({evaluated.folder.name}; Ctrl-C ends it)" in said
    assert "Traceback" not in said

    assert main(["inspect", *map(str, paths), *run, "--json"]) == 0
    inspected = json.loads(capsys.readouterr().out)["images"]
    (health, *told, refused, drawn, page) = answers
    assert (health[0], refused[0], drawn[0], page[0]) == (200, 422, 200, 200)
    for (status, content), found in zip(told, inspected, strict=True):
        verdict = json.loads(content)
        assert status == 200
        assert (verdict["belief"], verdict["class"]) == (found["belief"], found["verdict"])
        assert verdict["reasons"] == found["reasons"]
        assert verdict["confidence"] == pytest.approx(found["confidence"], abs=1e-5)
        assert (tmp_path / "kept" / f"{verdict['sha256']}.jpg").is_file()

    log = tmp_path / "serve" / evaluated.folder.name
    lines = [json.loads(line) for line in (log / "verdicts.jsonl").read_text().splitlines()]
    assert [line["type"] for line in lines] == ["start", "verdict", "verdict"]
    assert not list((log / "recent").iterdir())
    assert "serve" not in evaluated.manifest["config"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "no evaluation to judge by"),
        (["--run", "nowhere"], "nowhere"),
        (["--json"], "cannot be used here"),
    ],
)
def test_mistakes_on_the_command_line(arguments, told, capsys):
    assert main(["serve", *arguments]) in (1, 2)
    assert told in capsys.readouterr().err


def test_what_is_missing_or_taken_is_told_before_the_model_is_loaded(evaluated, tmp_path, capsys):
    run = ["serve", "--run", str(evaluated.folder), f"runs_dir={tmp_path}"]
    assert main([*run, "serve.watch=nowhere"]) == 2
    assert "no such folder: got nowhere (serve.watch)" in capsys.readouterr().err
    assert main([*run, "serve.token=short"]) == 2
    assert "serve.token" in capsys.readouterr().err
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert main([*run, f"serve.port={listener.getsockname()[1]}"]) == 2
        assert "the address cannot be used" in capsys.readouterr().err
