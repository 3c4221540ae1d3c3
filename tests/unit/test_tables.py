import io

import pytest
from rich.console import Console

from evalharness.console import new_table, say

LONG = "dandelion 41%, roses 22%, daisy 19% and 2 more"
ROWS = [("! concept 12", "27 (9%)", LONG, "roses 0.49 [0.34, 0.62]", "60.7 %"), ("dog", "3", "daisy", "-", "0 %")]
HEADINGS = ("concept", "photos", "in labels", "strongest pull", "flips")
TITLE = "what the map lights up again and again, beside the object"


def drawn(width):
    table = new_table(TITLE)
    for heading in HEADINGS:
        table.add_column(heading, no_wrap=heading in ("photos", "strongest pull", "flips"))
    for row in ROWS:
        table.add_row(*row)
    console = Console(width=width, file=io.StringIO())
    console.print(table)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [40, 60, 80, 120, 300])
def test_nothing_is_cut_at_any_width(width):
    text = drawn(width)
    words = text.split()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    for cell in (cell for row in ROWS for cell in row):
        assert all(word in words for word in cell.split())


@pytest.mark.parametrize("width", [60, 80, 120])
def test_numbers_stay_on_one_line(width):
    assert "roses 0.49 [0.34, 0.62]" in drawn(width)
    assert "27 (9%)" in drawn(width)


@pytest.mark.parametrize("width", [60, 80])
def test_the_title_is_as_wide_as_the_terminal_and_not_as_the_table(width):
    assert drawn(width).splitlines()[0].rstrip() == TITLE


def test_where_it_is_too_narrow_every_number_stands_behind_its_heading():
    assert "  strongest pull: roses 0.49 [0.34, 0.62]" in drawn(60).splitlines()
    assert "concept: dog" in drawn(60).splitlines()
    assert "strongest pull:" not in drawn(120)


@pytest.mark.parametrize(("is_terminal", "num_lines"), [(True, 2), (False, 1)])
def test_a_sentence_breaks_between_words_on_a_terminal_alone(monkeypatch, is_terminal, num_lines):
    written = io.StringIO()
    console = Console(file=written, width=20, force_terminal=is_terminal, color_system=None)
    monkeypatch.setattr("evalharness.console.console", console)
    say("a sentence of eight words, on a line")
    lines = written.getvalue().splitlines()
    assert len(lines) == num_lines
    assert " ".join(line.strip() for line in lines) == "a sentence of eight words, on a line"
