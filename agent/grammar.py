"""A small grammar for what people say to the chat when no language model is there: fixed intents, each said a few ways.

What it does not understand it says, clause by clause; it never guesses. Wishes about the motion become a Steering, so
that the same words steer a run whether a model or this grammar reads them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field
from video2reward.agent.phrases import minutes_in, robots_in, tries_in, until_in, usd_in, with_numbers
from video2reward.agent.wishes import GO_ON, steering_of
from video2reward.memory.records import Record, Steering

Kind = Literal[
    "start", "overnight", "recall", "describe", "status", "watch", "explain", "show", "compare", "steer", "stop",
    "go_on", "list", "use", "help", "thanks", "unknown",
]  # fmt: skip

CAN_DO = (
    'start a run: "make the go1 trot like clip.mp4"',
    'steer it: "slower, less bouncing", "lift the feet higher", "remove the slip term", "speed 3"',
    'look: "how is it going?", "watch", "show me the second try", "compare the first and the second try", "list runs"',
    'explain: "why did you stop?"',
    'recall: "which of my old rewards fits new.mp4?"; look at a clip: "what does new.mp4 show?"',
    'overnight: "run this folder clips/ overnight until 7:00, at most 5 dollars"',
    'end or resume it: "stop", "go on"; talk about another run: "switch to run NAME"',
)

_CLIP_END = r"\.(?:mp4|mov|avi|mkv|webm|gif|m4v)"
_CLIP = re.compile(rf"[\"'`]([^\"'`]+{_CLIP_END})[\"'`]|([^\s\"'`,;]+{_CLIP_END})\b", re.I)
_KEYPOINTS = re.compile(r"([^\s\"'`,;]+\.(?:json|csv|npz))\b", re.I)
_FOLDER = re.compile(
    r"[\"'`]([^\"'`]*/[^\"'`]*)[\"'`]|(?<![^\s(])((?!(?:k?m/s|and/or|w/o)\b)[^\s\"'`,;:?!]*/[^\s\"'`,;?!]*)"
    r"|\bfolder (?:called |named )?(?!overnight|until|with|on|at|tonight|please|and|for)([\w.-]+)(?![\w./-])", re.I
)  # fmt: skip
_ROBOT_FILE = re.compile(r"([^\s\"'`,;]+(?:\.xml|\.mjcf|/robot\.json)|menagerie:\w+)", re.I)
_RUN = re.compile(
    r"\b(?:run )?([\w.-]+-\d{8}-\d{6}(?:-\d+)?)\b|\b(?:switch to|talk about|back to) (?:the )?run ([\w./-]+)", re.I
)
_SPEED = re.compile(r"\b(?:at |to )?(\d+(?:\.\d+)?) ?(?:m/s|met(?:re|er)s? (?:a|per) second)")
_SAID_BY_THE_START = (
    r"(?:for |in |at most |up to |within )?(\d+(\.\d+)?|half an?|an?) ?(minutes?|mins?|hours?|h)",
    r"(can|could|would|will) you|please|i('d| would)? ?(like|want)|make|train|teach|let|get|have|start|run|learn|"
    r"imitate|copy|use|try|do|repeat|same|again|instead|too|also|as well|now",
    r"go1|g1|unitree|robots?( dog)?|dogs?|humanoid|quadruped|wom[ae]n|m[ae]n|person|people|cats?|horses?|animal|"
    r"subject|lady|guy|child|kid|it|its|you|him|her|they|one|a|the|an|to|my|new|named-run",
    r"walk(ing)?|trot(ting)?|run(ning)?|pac(e|ing)|mov(e|ing)|gallop(ing)?|bound(ing)?|hop(ping)?|go(ing)?|motion|"
    r"gait|walks|trots|runs|moves|does|is",
    r"like|from|with|on|in|of|this|that|there|clip|video|film|keypoints|folder|file|robot",
)


class Intent(Record):
    """What one message asks for."""

    kind: Kind
    said: str = ""
    clips: tuple[Path, ...] = ()
    keypoints: Path | None = None
    folders: tuple[Path, ...] = ()
    robots: tuple[str, ...] = ()
    run: str | None = Field(None, description="the run that is meant, by its name")
    speed_m_s: float | None = Field(None, description="the speed asked for, where it is a number")
    tries: tuple[int | str, ...] = Field((), description="numbers from 1, an attempt's name, or `best`")
    steering: Steering | None = None
    minutes: float | None = None
    until: str | None = None
    usd: float | None = None
    unread: tuple[str, ...] = Field((), description="the parts that were not understood")


def read(text: str, known_robots: Sequence[str] = ()) -> Intent:
    """Return what a message asks for; `known_robots` are names of robots beside go1 and g1."""
    text = text.replace("’", "'")
    clips = tuple(Path(quoted or plain).expanduser() for quoted, plain in _CLIP.findall(text))
    rest = _CLIP.sub(" CLIP ", text)
    files = tuple(_ROBOT_FILE.findall(rest))
    rest = _ROBOT_FILE.sub(" ROBOT ", rest)
    keypoints = next((Path(match).expanduser() for match in _KEYPOINTS.findall(rest)), None)
    rest = _KEYPOINTS.sub(" ", rest)
    run = next((first or second for first, second in _RUN.findall(rest)), None)
    rest = _RUN.sub(" NAMED-RUN ", rest)
    folders = tuple(Path("".join(match)).expanduser() for match in _FOLDER.findall(rest))
    plain = with_numbers(" ".join(_FOLDER.sub(" FOLDER ", rest).lower().split()))
    robots = files + robots_in(plain, known_robots)
    for name in known_robots:
        plain = re.sub(rf"(?<![\w-]){re.escape(name.lower())}(?![\w-])", "robot", plain)
    speed = _SPEED.search(plain)
    given = {
        "said": text,
        "clips": clips, "keypoints": keypoints, "folders": folders, "robots": tuple(dict.fromkeys(robots)), "run": run,
        "minutes": minutes_in(plain), "until": until_in(plain), "usd": usd_in(plain), "tries": tries_in(plain),
        "speed_m_s": float(speed[1]) if speed else None,
    }  # fmt: skip
    kind = _kind(plain, has_clip=bool(clips or folders) or "clip" in plain, has_robot=bool(robots))
    if kind not in ("start", "steer", "go_on", "unknown"):
        return Intent(kind=kind, **given)
    if speed and kind != "start":
        plain = plain.replace(speed[0], " ")
    wish = _without_the_start(plain) if kind == "start" else plain.replace("named-run", " ")
    steering, unread = steering_of(wish, said=text)
    if kind in ("unknown", "go_on") and (steering or (speed and not clips)):
        kind = "steer"
    if kind == "steer" and not (steering or speed):
        kind = "unknown"
    if kind == "unknown" and run:
        return Intent(kind="use", **given)
    return Intent(kind=kind, steering=steering, unread=tuple(unread), **given)


_WHY = re.compile(
    r"\b(why|what happened|explain|how come|reason|what made (you|it)|what (went|is|was) wrong|"
    r"what did (you|it) decide)\b"
)
_REWARDS = r"\b(rewards?|runs?|anything|something|one|motions?|clips?)\b"
_LIKE = r"\b(fits?|match(es)?|like|similar|near(est)?|close(st)?|suits?|for)\b"
_BEFORE = (
    r"\b(which|any|anything|old|recall|remember|prior|previous|earlier|before|similar|have (we|you)|do (we|you)|find)\b"
)
_THANKS = r"^(thanks?( you)?|thank you|great|good|nice|perfect|ok(ay)?|cool)( (very much|a lot|so much|job))?\W*$"
_BETTER = r"\b(compare|versus|vs|differences?|(which|what)( \w+)? (is|was|are) (the )?better)\b"
_STATUS = re.compile(
    r"\b(status|progress|how (is|does|are|far|long)|how('s| did) (it|that|the)|going|doing|ready|done|finished|"
    r"still (running|working|at work|training)|is it (running|working|training)|spent|cost)\b"
)
_STOP = re.compile(
    r"^(please |ok,? )?(stop|cancel|abort|halt|end|enough|kill|that's enough|that is enough|quit)"
    r"( (it|this|that|now|the|run|training|everything|please|named-run))*\W*$"
)
_START = re.compile(
    r"\b(make|train|teach|let|get|have|start|run|learn|imitate|copy|want|like|use|try|do|repeat|walk|trot|move)\b.*"
    r"\b(like|from|with|on|to|clip|this|same|again)\b"
)


def _kind(text: str, *, has_clip: bool, has_robot: bool) -> Kind:
    def says(pattern: str) -> bool:
        return bool(re.search(pattern, text))

    recalls = says(_REWARDS) and says(_LIKE) and says(_BEFORE) and not says(r"look(s)? like|\bshow\b|\bmake\b")
    asks: tuple[tuple[Kind, bool], ...] = (
        ("help", says(r"^(help|\?|what (can|do) you (do|understand)|hi|hello|hey|good (morning|evening|day))\b|^\?")),
        ("thanks", says(_THANKS)),
        ("overnight", says(r"\b(overnight|night|tonight|(until|till) \d|by \d\d?(:\d\d| ?[ap]m))")),
        ("recall", recalls and (has_clip or says(r"\b(rewards?|runs?)\b"))),
        ("explain", bool(_WHY.search(text))),
        ("compare", says(_BETTER)),
        ("describe", has_clip and says(r"^(can|could) you (use|see|read|understand|work with)\b|^clip\W*$")),
        ("start", has_clip and bool(_START.search(text)) and not says(r"^(what|which|how|describe|look at|measure)\b")),
        ("start", has_robot and says(r"\b(same|again|instead|too|as well|also)\b")),
        ("describe", has_clip and says(r"\b(what|which|describe|look at|measure|how does|show|see|analy[sz]e)\b")),
        ("list", says(r"\b(list|what runs|which runs|(show|see)( me)?( all| my)?( the)? runs)\b")),
        ("show", says(r"\b(show|see|open|video|report|look at|look like|where)\b|^(the )?reward\b|^l\d+-c\d+\W*$")),
        ("watch", says(r"^(watch|wait|follow)\b|keep me (posted|informed)|tell me when")),
        ("status", bool(_STATUS.search(text)) and not GO_ON.search(text) and not says(r"\bless\b|\bmore\b")),
        ("stop", bool(_STOP.search(text))),
        ("steer", says(r"\b(remove|drop|without|weight|term)\b")),
        ("go_on", bool(GO_ON.search(text))),
        ("start", has_clip and says(r"\blike\b")),
    )  # fmt: skip
    return next((kind for kind, meant in asks if meant), "unknown")


def _without_the_start(text: str) -> str:
    """Leave out of a request what names the robot, the motion, the subject and the clip."""
    for words in _SAID_BY_THE_START:
        text = re.sub(rf"(?<![\w-])({words})(?![\w-])", " ", text)
    return re.sub(r"\s+", " ", text)
