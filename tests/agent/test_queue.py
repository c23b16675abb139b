"""What a night is asked for: clips, robots, an hour; and how its time and money are shared."""

import time
from pathlib import Path

import pytest
from fake_tools import TARGET
from video2reward.agent.budget import Purse
from video2reward.agent.finish import record_failure
from video2reward.agent.queue import (
    LEAST_S,
    Item,
    Queue,
    disk_full,
    items_of,
    no_next,
    request_for,
    unfinished,
    until_time,
)
from video2reward.memory.errors import BadInput

NOON = time.mktime((2026, 11, 25, 12, 0, 0, 0, 0, -1))


def queue_of(root: Path, *names: str, until: float = NOON + 3600.0, **fields) -> Queue:
    items = tuple(Item(name=name, clip=root / f"{name}.mp4", robot=TARGET.robot) for name in names)
    return Queue(items=items, until=until, begun=NOON, **fields)


def finish(root: Path, queue: Queue, name: str) -> None:
    """Give an item a result."""
    item = next(item for item in queue.items if item.name == name)
    (root / name).mkdir(exist_ok=True)
    record_failure(root / name, request_for(root, queue, item, NOON), "it is over.")


def test_each_clip_of_a_folder_goes_on_each_robot_with_the_keypoints_beside_it(tmp_path):
    for name in ("b dog.mp4", "a.mov", "a_keypoints.csv", "notes.txt"):
        (tmp_path / name).touch()
    items = items_of([tmp_path, tmp_path / "a.mov"], ["go1", "g1", "go1"])
    assert [item.name for item in items] == ["01-a-go1", "02-a-g1", "03-b_dog-go1", "04-b_dog-g1"]
    assert items[0].keypoints == tmp_path / "a_keypoints.csv" and items[2].keypoints is None


@pytest.mark.parametrize(
    ("clip", "robot", "said"),
    [("nowhere.mp4", "go1", "there is no clip"), (".", "go1", "no clip lies in"), ("a.mp4", "hexapod", "hexapod")],
)
def test_what_cannot_be_queued_is_said_before_night_falls(tmp_path, monkeypatch, clip, robot, said):
    monkeypatch.chdir(tmp_path)
    if clip == "a.mp4":
        Path(clip).touch()
    with pytest.raises(BadInput, match=said):
        items_of([Path(clip)], [robot])


@pytest.mark.parametrize(
    ("text", "hours"),
    [("13:30", 1.5), ("11:00", 23.0), ("07:00", 19.0), ("2026-11-26T12:00", 24.0), ("90m", 1.5), ("8h", 8.0)],
)
def test_an_hour_means_the_next_one(text, hours):
    assert until_time(text, NOON) == NOON + 3600.0 * hours


@pytest.mark.parametrize("text", ["soon", "25:00", "12:61", "2026-11-25T11:00"])
def test_an_hour_that_is_none_or_has_passed_is_refused(text):
    with pytest.raises(BadInput, match="--until"):
        until_time(text, NOON)


def test_time_and_money_are_shared_evenly_and_what_is_not_used_flows_on(tmp_path):
    queue = queue_of(tmp_path, "a", "b", "c", until=NOON + 20.0 + 3600.0, usd=6.0, tokens=3000)
    first = request_for(tmp_path, queue, queue.items[0], NOON)
    # An hour, six dollars, 3000 tokens for three.
    assert (first.minutes, first.usd, first.tokens) == (20.0, 2.0, 1000)
    finish(tmp_path, queue, "a")
    Purse(tmp_path / "a").charge("gpt-4o", 400_000, 0)  # one dollar
    later = request_for(tmp_path, queue, queue.items[1], NOON + 600.0)
    # The first took 10 minutes and one dollar of its share: 50 minutes and 5 dollars are left for two.
    assert (later.minutes, later.usd) == (25.0, 2.5)
    assert later.until == queue.until - 20.0


def test_minutes_each_are_a_ceiling(tmp_path):
    queue = queue_of(tmp_path, "a", minutes_each=5.0)
    assert request_for(tmp_path, queue, queue.items[0], NOON).minutes == 5.0


def test_a_stopped_run_is_left_to_do_and_a_failed_one_is_not(tmp_path):
    queue = queue_of(tmp_path, "a", "b")
    finish(tmp_path, queue, "a")
    (tmp_path / "b").mkdir()
    text = (tmp_path / "a" / "result.json").read_text()
    (tmp_path / "b" / "result.json").write_text(text.replace('"failed"', '"stopped"'))
    assert [item.name for item in unfinished(tmp_path, queue)] == ["b"]


def test_the_first_limit_ends_the_night(tmp_path):
    queue = queue_of(tmp_path, "a", usd=1.0)
    assert no_next(tmp_path, queue, NOON) == ""
    assert "The time ended" in no_next(tmp_path, queue, queue.until - LEAST_S)
    assert "MB are free" in no_next(tmp_path, queue, NOON, least_free_bytes=10**18)
    (tmp_path / "a").mkdir()
    Purse(tmp_path / "a").charge("gpt-4o", 400_000, 0)
    assert no_next(tmp_path, queue, NOON) == "The money is used up: $1.00 of $1.00."
    (tmp_path / "STOP").touch()
    assert "asked to stop" in no_next(tmp_path, queue, NOON)


def test_a_full_disk_is_said_with_its_numbers(tmp_path):
    assert disk_full(tmp_path, 1) == "" and "1000000 MB are needed" in disk_full(tmp_path, 10**12)
