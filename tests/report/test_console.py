"""The terminal: data and talk apart, plain where nobody watches."""

from __future__ import annotations

import contextlib
import io

import pytest

from harness.report.console import open_terminal


class Screen(io.StringIO):
    """A file that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_data_goes_to_stdout_and_talk_to_stderr() -> None:
    out, err = io.StringIO(), io.StringIO()
    terminal = open_terminal(stdout=out, stderr=err)
    terminal.print('{"a": 1}\n')
    terminal.say("[bold]not markup[/] :smile: 12")
    assert out.getvalue() == '{"a": 1}\n'
    assert err.getvalue() == "[bold]not markup[/] :smile: 12\n"


def test_long_lines_are_not_wrapped() -> None:
    out = io.StringIO()
    open_terminal(stdout=out).print("x" * 300)
    assert out.getvalue() == "x" * 300 + "\n"


def test_what_is_said_cannot_move_the_cursor() -> None:
    err = io.StringIO()
    open_terminal(stderr=err).say("a\x1b[2Jb\rc\nd")
    assert err.getvalue() == "a\\x1b[2Jb\nc\nd\n"


def test_letters_that_a_stream_lacks_do_not_stop_it() -> None:
    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding="ascii")
    open_terminal(stdout=stream).print("café · …")
    stream.flush()
    assert buffer.getvalue() == b"caf? ? ?\n"


def test_without_a_terminal_progress_is_one_plain_line_for_each_event() -> None:
    err = io.StringIO()
    with open_terminal(stderr=err).watch({"reviews": 9}) as watch:
        watch.advance("reviews", done=1, best="", last="(probe .650)")
        watch.event("reviews/full t-0001 fold 2  failed: out of memory")
        watch.advance("reviews", done=9, best=".731", last="(full .731)")
    assert err.getvalue() == (
        "reviews 1/9 trials  (probe .650)\nreviews/full t-0001 fold 2  failed: out of memory\n"
        "reviews 9/9 trials  best .731  (full .731)\n"
    )


def test_on_a_terminal_progress_is_a_bar_for_each_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    screen = Screen()
    with open_terminal(stderr=screen).watch({"reviews": 9, "words": 9}) as watch:
        watch.advance("reviews", done=9, best=".731", last="")
        watch.event("all done")
    assert "9/9 trials  best .731" in screen.getvalue()
    assert "0/9 trials" in screen.getvalue()
    assert "all done" in screen.getvalue()
    assert "\x1b[?25h" in screen.getvalue()  # the cursor is given back


def test_on_a_terminal_a_download_is_a_bar_in_megabytes_that_goes_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    screen = Screen()
    with contextlib.suppress(KeyboardInterrupt), open_terminal(stderr=screen).meter(90_000_000) as tell:
        tell(30_000_000)
        raise KeyboardInterrupt
    assert "30.0/90.0 MB" in screen.getvalue()
    assert "\x1b[?25h" in screen.getvalue()  # the cursor is given back
    assert screen.getvalue().endswith("\x1b[2K")


def test_without_a_terminal_or_when_asked_to_be_quiet_a_download_shows_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    err, screen = io.StringIO(), Screen()
    for terminal in (open_terminal(stderr=err), open_terminal(stderr=screen, bars=False)):
        with terminal.meter(90_000_000) as tell:
            tell(30_000_000)
    assert err.getvalue() == screen.getvalue() == ""


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    screen = Screen()
    with open_terminal(stderr=screen).watch({"reviews": 9}) as watch:
        watch.advance("reviews", done=3, best=".7", last="")
    assert "\x1b[3" not in screen.getvalue()
    assert "\x1b[9" not in screen.getvalue()


def test_columns_give_the_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "44")
    assert open_terminal(stdout=io.StringIO()).width == 44
    monkeypatch.setenv("COLUMNS", "5")
    assert open_terminal(stdout=io.StringIO()).width == 30
