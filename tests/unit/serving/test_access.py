"""Without the token nothing; other sites' pages never; addresses that are not of the bench neither."""

import json
import re

import pytest
from pydantic import ValidationError
from stub_bench import photo, running_bench

from evalharness.config import ServeConfig
from evalharness.serving.access import HEADERS

TOKEN = "a-token-of-the-tests-0123456789"
ADDRESSES = [
    ("GET", "/health"),
    ("GET", "/verdicts"),
    ("GET", "/verdicts.csv"),
    ("GET", "/photo/1.jpg"),
    ("GET", "/map/1.png"),
    ("GET", "/bench.js"),
    ("GET", "/nothing"),
    ("POST", "/inspect"),
    ("POST", "/verdicts/1/correction"),
    ("PUT", "/"),
]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    with running_bench(tmp_path_factory.mktemp("log"), token=TOKEN) as running:
        running.client.inspect(photo())
        yield running


@pytest.fixture(scope="module")
def open_bench(tmp_path_factory):
    with running_bench(tmp_path_factory.mktemp("log")) as running:
        yield running.client


@pytest.mark.parametrize(("method", "address"), ADDRESSES)
def test_without_the_token_nothing(guarded, method, address):
    for given in ("", "Bearer ", "Bearer wrong", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer ü"):
        status, headers, content = guarded.client.ask(method, address, b"", Authorization=given.encode("latin-1"))
        assert status == 401
        assert json.loads(content) == {"code": "token", "error": "a token is needed."}
        assert headers["www-authenticate"] == "Bearer"


def test_the_entrance_tells_nothing(guarded):
    status, headers, content = guarded.client.ask("GET", "/", Authorization="")
    assert status == 401
    text = content.decode()
    assert not [word for word in ("colours", "red", "evalharness", TOKEN) if word in text]
    (nonce,) = set(re.findall(r'nonce="([^"]+)"', text))
    assert f"script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'" in headers["content-security-policy"]


def test_a_browser_gets_a_cookie_for_the_token(guarded):
    ask = guarded.client.ask
    assert ask("POST", "/session", "wrong", Authorization="")[0] == 401
    assert ask("POST", "/session", "x" * 100_000, Authorization="")[0] == 401
    status, headers, _ = ask("POST", "/session", TOKEN, Authorization="")
    assert status == 204
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    name, _, value = cookie.partition(";")[0].partition("=")
    assert ask("GET", "/health", Authorization="", Cookie=f"{name}={value}")[0] == 200
    assert ask("GET", "/health", Authorization="", Cookie=f"{name}={value}x")[0] == 401
    assert ask("GET", "/health", Authorization="", Cookie=f"{name}=")[0] == 401


def test_every_answer_has_the_headers(guarded):
    for method, address in [*ADDRESSES, ("GET", "/")]:
        for given in ("", f"Bearer {TOKEN}"):
            headers = guarded.client.ask(method, address, b"", Authorization=given)[1]
            for name, value in HEADERS.items():
                assert headers[name] == value or (name == "content-security-policy" and "nonce-" in headers[name])
            assert "server" not in headers


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    ],
)
def test_pages_of_other_sites_change_nothing(open_bench, headers):
    status, _, content = open_bench.ask("POST", "/inspect", photo(), **headers)
    assert (status, json.loads(content)["code"]) == (403, "elsewhere")


def test_pages_of_other_sites_may_link_here_and_not_embed(open_bench):
    visit = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert open_bench.ask("GET", "/", **visit)[0] == 200
    embedded = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert open_bench.ask("GET", "/photo/1.jpg", **embedded)[0] == 403


def test_the_page_itself_may(open_bench):
    origin = f"http://127.0.0.1:{open_bench.port}"
    assert open_bench.inspect(photo(), Origin=origin, Sec_Fetch_Site="same-origin")[0] == 200


@pytest.mark.parametrize(
    "host", ["elsewhere.example", "elsewhere.example:8321", "127.0.0.1.elsewhere.example", "", "[::1"]
)
def test_a_name_that_points_here_is_refused(open_bench, host):
    assert open_bench.ask("GET", "/", Host=host)[0] in (400, 421)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:99", "[::1]:8321", "192.168.0.7"])
def test_own_names_and_plain_addresses_are_served(open_bench, host):
    assert open_bench.ask("GET", "/health", Host=host)[0] == 200


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("bench", False),
    ],
)
def test_what_the_loopback_is(host, is_loopback):
    assert ServeConfig(host=host).is_loopback is is_loopback


@pytest.mark.parametrize("token", ["short", "", "with a space in it", "x" * 15])
def test_a_token_that_could_be_guessed_or_not_be_sent(token):
    with pytest.raises(ValidationError):
        ServeConfig(token=token)
