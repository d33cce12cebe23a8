"""Tables, live frame and picture say what the records say."""

import io
from dataclasses import replace
from xml.etree import ElementTree

from examples.demo import narrate, picture
from examples.demo.report import phases, report, table, versions, walk
from examples.demo.screen import Screen, frame
from examples.demo.sightings import Evidence, Glance
from examples.demo.story import STORY
from examples.demo.verdict import judge
from tests.unit.demo_tales import PROOF, V1, good_tale


def test_columns_are_aligned() -> None:
    assert table([["", "n"], ["long name", "1"], ["x", "1,000"]]) == [
        "               n",
        "long name      1",
        "x          1,000",
    ]


def test_phases_count_their_own_requests() -> None:
    rows = {row[0]: row[1:4] for row in phases(good_tale())[1:]}
    assert rows["part 1: v1"] == ["39", "40", "0"]
    assert rows["part 3: v3"] == ["99", "100", "2"]
    assert rows["all"] == ["", "340", "2"]


def test_accuracy_is_right_answers_of_answers() -> None:
    assert versions(good_tale())[1:] == [
        ["v1", "120", "108", "90.0 %"],
        ["v2", "217", "217", "100.0 %"],
        ["v3", "1", "1", "100.0 %"],
    ]


def test_the_walk_shows_what_clients_saw() -> None:
    tale = good_tale()
    rows = walk(tale, tale.chapters[1])
    assert [row[0] for row in rows[1:]] == ["5 %", "25 %", "50 %", "100 %"]
    assert rows[-1][1:] == ["20.0", "20", "100.0 %", "0", "100.0 %"]


def test_the_report_names_reason_and_times() -> None:
    tale = good_tale()
    text = "\n".join(report(tale, judge(tale, len(STORY))))
    assert f"v3 was taken off: ErrorRateAboveLimit\n  {PROOF}" in text
    assert "10.0 s  from the first failed request to weight 0" in text
    assert "  -5.0 s  from weight 0 to the sending of the last failed request" in text
    assert "5.0 s  for which the answers sufficed to reject it before weight 0" in text
    assert "40.0 s  from the first failed request to settled" in text
    assert "60.0 s  from apply to settled" in text
    assert "NO " not in text


def test_the_frame_shows_wanted_and_seen_shares_and_the_evidence() -> None:
    tale = good_tale()
    tale.chapters = tale.chapters[:2]
    judged = Evidence("errorRate vs stable", (1, 20), (0, 300), "Wait", "2.5", "20")
    tale.glances = [(30.0, replace(V1, candidate="v2", evidence=(judged,)))]
    tale.routes = [each for each in tale.routes if each[0] < 140]
    tale.answers = [each for each in tale.answers if each.sent < 140]
    text = "\n".join(frame(tale, 140.0))
    assert "v1 stable" in text
    assert "v2 candidate" in text
    assert "25 %" in text
    assert "1/20 bad" in text
    assert "80 requests, 0 failed" in text


def test_without_a_terminal_there_are_lines_and_no_escapes() -> None:
    out = io.StringIO()
    screen = Screen(out)
    screen.tell(["one"])
    screen.draw(good_tale(), 300.0)
    screen.close(["two"])
    assert out.getvalue() == "one\ntwo\n"


def test_only_changes_of_the_object_are_told() -> None:
    held = Glance(ready=False, reason="HoldingStep", message="5 s left", candidate="v2")
    assert narrate.object_changed(held, replace(held, message="4 s left")) == []
    assert narrate.object_changed(held, replace(held, reason="Settled", ready=True)) != []


def test_the_picture_is_well_formed_and_marks_the_moments() -> None:
    tale = good_tale()
    drawn = picture.draw(tale, tale.chapters[2])
    texts = [each.text for each in ElementTree.fromstring(drawn).iter() if each.text]
    assert "first failure 20.0 s" in texts
    assert "weight 0 30.0 s" in texts


def test_failures_are_counted_by_second() -> None:
    assert picture.failures(good_tale(), 219.0, 227.0) == [0, 1, 0, 0, 0, 0, 1, 0]
