"""Foreign point names to the canonical, anatomical ones of `memory.records`.

A name is read as words: a side (left, right, near, far), an end (front, hind) and a part. AP-10K's "hip" is the
anatomical knee and its "knee" the ankle; the same holds for the names DeepLabCut's SuperAnimal took over from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from video2reward.memory.records import Skeleton

_SIDES = {
    **dict.fromkeys(("left", "l", "lt", "lft"), "left"),
    **dict.fromkeys(("right", "r", "rt", "rgt"), "right"),
    **dict.fromkeys(("near", "ipsi"), "near"),
    **dict.fromkeys(("far", "contra"), "far"),
}
_ENDS = {
    **dict.fromkeys(("front", "fore", "f", "anterior", "thoracic"), "front"),
    **dict.fromkeys(("hind", "rear", "back", "b", "h", "posterior", "pelvic"), "hind"),
}
_LEGS = {  # FL, LF, HR, RH, … : one word for a side and an end
    side + end if side_first else end + side: (side_name, end_name)
    for side, side_name in (("l", "left"), ("r", "right"))
    for end, end_name in (("f", "front"), ("h", "hind"), ("b", "hind"), ("r", "hind"))
    for side_first in (True, False)
    if (side, end) != ("r", "r")
}
# "rl" is rear left and "lr" left rear in the order of robots; both read the same way.
_LEGS |= {"rl": ("left", "hind"), "lr": ("left", "hind"), "rr": ("right", "hind")}
_JOINED = re.compile(
    r"^(left|right|near|far|front|fore|hind|rear|back|lf|rf|lh|rh|fl|fr|rl|rr|hl|hr|l|r)"
    r"(shoulder|elbow|wrist|carpus|paw|foot|hoof|hand|hip|knee|stifle|ankle|hock|tarsus|heel|toe|bigtoe|left|right|front|"
    r"fore|hind|rear|limb|leg)(.*)$"
)
_NOISE = {"point", "joint", "marker", "kp", "keypoint", "center", "centre", "limb", "leg", "of", "the"}
_PARTS = {
    **dict.fromkeys(("shoulder", "humerus", "uparm", "upperarm"), "shoulder"),
    "elbow": "elbow",
    **dict.fromkeys(("wrist", "carpus", "carpal", "forearmend"), "wrist"),
    **dict.fromkeys(("paw", "hoof", "claw"), "paw"),
    **dict.fromkeys(("foot", "feet", "sole"), "foot"),
    **dict.fromkeys(("hand",), "hand"),
    **dict.fromkeys(("hip", "pelvis", "thigh"), "hip"),
    "thai": "thai",  # SuperAnimal's spelling
    **dict.fromkeys(("knee", "stifle"), "knee"),
    **dict.fromkeys(("ankle", "hock", "tarsus", "tarsal"), "ankle"),
    **dict.fromkeys(("heel", "calcaneus"), "heel"),
    **dict.fromkeys(("toe", "toes", "bigtoe", "footindex"), "toe"),
    **dict.fromkeys(("nose", "snout", "muzzle"), "nose"),
    **dict.fromkeys(("neck", "neckbase"), "neck"),
    **dict.fromkeys(("withers", "wither", "backbase"), "withers"),
    **dict.fromkeys(("tailbase", "basetail", "tailroot", "roottail", "tailset", "tailstart"), "tail_base"),
}
_UNSIDED = {"nose", "neck", "withers", "tail_base"}
_PERSON_ONLY = {"heel", "toe"}
EXAMPLES = (
    "left_shoulder, R_hip, far_knee, LeftAnkle, FL_paw, hind_right_paw, l_front_foot, right_toe, nose, neck, withers, "
    "tail_base"
)


def canonical_names(source_names: Iterable[str]) -> tuple[Skeleton, dict[str, str]]:
    """Decide the skeleton from the names and map each that is understood; the rest are left out.

    Names with near or far come back as near_… and far_…: only the facing can tell which side they are.
    """
    names = [name for name in dict.fromkeys(source_names)]
    read = {name: _read(name) for name in names}
    parts = {part for side, end, part in read.values()}
    ends = {end for side, end, part in read.values()}
    quadruped = bool(parts & {"paw", "withers", "tail_base", "thai"}) or bool(ends - {""})
    skeleton: Skeleton = "quadruped" if quadruped else "person"
    animal_10k = quadruped and _is_ap10k(names, read)
    mapped: dict[str, str] = {}
    for name, (side, end, part) in read.items():
        mapped[name] = _quadruped_name(side, end, part, animal_10k) if quadruped else _person_name(side, part)
    # Where two names mean the same point, the one that is spelled canonically wins, else the first.
    owner: dict[str, str] = {}
    for name in sorted(names, key=lambda name: mapped[name] != name):
        owner.setdefault(mapped[name], name)
    return skeleton, {name: mapped[name] for name in names if mapped[name] and owner[mapped[name]] == name}


def _words(name: str) -> list[str]:
    """Split a name at signs and capitals, and words run together ("leftforepaw", "LAnkle") at what they are made of."""
    words: list[str] = []
    waiting = [word for word in re.split(r"[^A-Za-z]+", name) if word]
    while waiting:
        word = waiting.pop(0)
        low = word.lower()
        joined = _JOINED.match(low) if low not in _PARTS else None
        if joined:
            waiting = [part for part in joined.groups() if part] + waiting
        elif (spaced := re.sub(r"([a-z])([A-Z])", r"\1 \2", word)) != word:
            waiting = spaced.split() + waiting
        elif low not in _NOISE:
            words.append(low)
    return words


def _read(name: str) -> tuple[str, str, str]:
    """Return (side, end, part) of a name, each empty where it does not say."""
    side = end = ""
    rest: list[str] = []
    words = _words(name)
    whole = "".join(words)
    if whole in _PARTS:  # "root of tail", "back base": words that are no side or end of a limb
        return "", "", _PARTS[whole]
    for word in words:
        if word in _LEGS and not (side or end):
            side, end = _LEGS[word]
        elif word in _SIDES and not side:
            side = _SIDES[word]
        elif word in _ENDS and not end:
            end = _ENDS[word]
        else:
            rest.append(word)
    part = _PARTS.get("".join(rest), "")
    if not part and rest and rest[0] in ("big", "foot") and rest[-1] in ("toe", "index"):
        part = "toe"
    if not part and not rest and side and end:
        part = "paw"  # a bare FL names the foot of that leg
    return side, end, part


def _is_ap10k(names: list[str], read: dict[str, tuple[str, str, str]]) -> bool:
    """Tell AP-10K's own set of points by what it has (eyes, a "root of tail") and lacks (an ankle)."""
    words = [_words(name) for name in names]
    parts = {part for _, _, part in read.values()}
    its_own = any("eye" in word or ("root" in word and "tail" in word) for word in words)
    ankles = "ankle" in parts or any(end == "hind" and part == "heel" for _, end, part in read.values())
    return its_own and "tail_base" in parts and not ankles and "knee" in parts and bool(parts & {"hip", "thai"})


def _quadruped_name(side: str, end: str, part: str, animal_10k: bool) -> str:
    if part in _UNSIDED:
        return "" if side else part
    if not side or not part:
        return ""
    if part == "hand":
        end, part = "front", "paw"
    if part in ("foot", "toe"):
        part = "paw"
    if part == "paw":
        return f"{side}_{end}_paw" if end else ""
    if part == "thai":
        part = "shoulder" if end == "front" else "knee"
    elif end == "front" and part == "knee" and animal_10k:
        part = "elbow"
    elif end == "front":
        part = {"hip": "shoulder", "knee": "wrist", "ankle": ""}.get(part, part)
    elif part in ("hip", "knee") and animal_10k:
        part = {"hip": "knee", "knee": "ankle"}[part]
    elif part == "heel":
        part = "ankle"
    if end == "hind" and part in ("shoulder", "elbow", "wrist"):
        return ""
    return f"{side}_{part}" if part else ""


def _person_name(side: str, part: str) -> str:
    if part in ("nose", "neck"):
        return "" if side else part
    part = {"foot": "toe", "hand": "wrist"}.get(part, part)
    return f"{side}_{part}" if side and part and part not in _UNSIDED else ""
