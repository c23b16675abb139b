"""Records of other versions: older ones are read, newer ones are refused by name."""

import json
from pathlib import Path

import pytest
from video2reward.memory import records, runs
from video2reward.memory.errors import BadInput
from video2reward.memory.records import TrainingRun

# One of each kind, as the records of November 2026 were written; fields that came later are not in there.
WRITTEN_BEFORE = json.loads(Path(__file__).with_name("records_of_november.json").read_text())
WHOLE = {"attempt": "L1-C1", "status": "ok", "env_steps": 10}


def kept(tmp_path, **fields):
    (tmp_path / "result.json").write_text(json.dumps({**WHOLE, **fields}))
    return tmp_path / "result.json"


def test_a_record_without_a_version_is_read_as_the_first(tmp_path):
    run = runs.load(TrainingRun, kept(tmp_path))
    assert (run.schema_version, run.env_steps) == (1, 10)


def test_a_newer_record_is_refused_and_says_what_to_do(tmp_path):
    with pytest.raises(BadInput, match="newer video2reward: its TrainingRun is of version 7.*up to 1.*Update"):
        runs.load(TrainingRun, kept(tmp_path, schema_version=7, something_new=True))


def test_an_older_shape_is_brought_up_step_by_step(tmp_path, monkeypatch):
    class Third(TrainingRun):
        schema_version: int = 3
        steps_done: int = 0

    def renamed(record):
        return {**{k: v for k, v in record.items() if k != "steps"}, "count": record["steps"]}

    def renamed_again(record):
        return {**{k: v for k, v in record.items() if k != "count"}, "steps_done": record["count"]}

    monkeypatch.setitem(runs.UPGRADES, "Third", (lambda record: record, renamed, renamed_again))
    assert runs.load(Third, kept(tmp_path, schema_version=1, steps=5)).steps_done == 5
    assert runs.load(Third, kept(tmp_path, schema_version=2, count=6)).steps_done == 6
    assert runs.load(Third, kept(tmp_path, schema_version=3, steps_done=7)).steps_done == 7


@pytest.mark.parametrize("name", WRITTEN_BEFORE)
def test_what_an_earlier_release_wrote_is_read_with_all_that_it_said(tmp_path, name):
    (tmp_path / "record.json").write_text(json.dumps(WRITTEN_BEFORE[name]))
    kind = getattr(records, name)
    now = json.loads(runs.load(kind, tmp_path / "record.json").model_dump_json(by_alias=True))
    assert holds(now, WRITTEN_BEFORE[name])


def holds(now: object, before: object) -> bool:
    """Say whether all that was said is still said, whatever was added to it."""
    if isinstance(before, dict):
        return isinstance(now, dict) and all(key in now and holds(now[key], value) for key, value in before.items())
    if isinstance(before, list):
        return isinstance(now, list) and len(now) == len(before) and all(map(holds, now, before))
    return now == before


NO_RECORDS = {
    "empty": "",
    "a list": "[]",
    "cut": "{",
    "a version in words": '{"schema_version": "x"}',
    "a version below all": '{"schema_version": -5}',
    "deep": "[" * 99_999,
}


@pytest.mark.parametrize("text", NO_RECORDS.values(), ids=NO_RECORDS)
def test_what_is_no_record_is_refused_in_one_sentence(tmp_path, text):
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(BadInput, match="is not a readable TrainingRun"):
        runs.load(TrainingRun, tmp_path / "result.json")


def test_an_event_after_a_cut_one_stands_on_its_own_line(tmp_path):
    runs.append_event(tmp_path, "started", robot="go1")
    with (tmp_path / "events.jsonl").open("a") as file:
        file.write('{"kind": "tra')
    runs.append_event(tmp_path, "finished")
    assert [row["kind"] for row in runs.rows(tmp_path / "events.jsonl")] == ["started", "finished"]


def test_a_folder_in_a_records_place_is_refused(tmp_path):
    with pytest.raises(BadInput, match="is not a file"):
        runs.load(TrainingRun, tmp_path)
