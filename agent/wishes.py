"""What a wish about a motion means in numbers: "slower, less bouncing", "remove the slip term", "the feet drag"."""

from __future__ import annotations

import re

from pydantic import ValidationError
from video2reward.memory.errors import BadInput
from video2reward.memory.records import Steering

GO_ON = re.compile(r"\b(go on|goes on|continue|carry on|keep going|resume)\b")
_FAULTS = {
    "slip": "slip|slid(?:e|es|ing)|skat(?:e|es|ing)|skid", "bounce": "bounc|hop(?:s|ping)?\\b|bob|jump",
    "wobble": "wobbl|shak|sway|roll(?:s|ing)\\b|rock(?:s|ing)\\b", "smooth": "jerk|jitter|twitch|nois|vibrat",
    "level": "tilt|lean|fall|stumbl|tip(?:s|ping)? over", "chatter": "chatter|tap(?:s|ping)\\b|double step",
    "landing": "stamp|stomp|hard landing|land(?:s|ing)? hard", "heading": "turn(?:s|ing)\\b|drift|veer|off course",
    "effort": "torque|effort|energy|power", "knees": "on (?:its|the) knees|knees? (?:on|touch|hit)|kneel",
    "height": "sag|crouch|sink",
}  # fmt: skip
"""What can be too much of, by the kind of term that is about it."""
_VIRTUES = {
    "smooth": "smooth|quiet", "level": "level|upright|stable|stead(?:y|ier)|balance", "heading": "straight",
    "effort": "efficien|economic", "landing": "gentl|soft", "pose": "pose|posture", "limbs": "like the clip|joint",
    "height": "tall",
}  # fmt: skip
"""What can be too little of."""
_TERMS = {
    "footfalls": "footfalls?|gait|foot ?fall", "speed": "speed|velocity", "heading": "heading", "pose": "pose|posture",
    "level": "level|tilt|upright", "bounce": "bounc(?:e|es|ing)|bob", "wobble": "wobbl(?:e|ing)",
    "smooth": "smooth(?:ness)?|action rate", "height": "height", "chatter": "chatter", "timing": "timing|lift ?off",
    "landing": "landing", "slip": "(?:foot ?)?slip(?:ping|page)?|sliding", "effort": "effort|torque|energy|power",
    "soles": "soles?", "knees": "knees?", "clearance": "clearance", "limbs": "limbs?|joint cycle",
    "symmetry": "symmetry",
}  # fmt: skip
_COSTS = {"slip", "bounce", "wobble", "smooth", "level", "chatter", "height", "effort", "soles", "landing", "timing",
          "knees", "clearance"}  # fmt: skip
_FILLER = re.compile(
    r"^(?:please|now|ok(?:ay)?|and|then|but|so|it|the robot|robot|go1|g1|a bit|much|thanks?( you)?|"
    r"(?:make it|i want it|let it)(?: walk| run| go| move| trot)?|be|go|walk|run|move|that|this|try|again|once more|"
    r"with|for me|can you|could you|should|more|it should)$"
)
_BUDGET = re.compile(
    r"^(for |at most |up to |within )*\$? ?\d+(\.\d+)? ?(dollars?|usd|bucks|minutes?|mins?|hours?|h|\$)?( at most)?$"
)
_TERM = r"(?:terms?|weights?|rewards?|penalt(?:y|ies)|costs?)"
_UP, _DOWN = r"increase|raise|boost|double|turn up|strengthen", r"decrease|reduce|lower|halve|cut|turn down|weaken"


def wished(words: str, *, reads: bool) -> tuple[Steering, ...]:
    """Return what words ask for: a wish, or a Steering as JSON. An author that reads is given what has no numbers too.

    Raises BadInput where an author by rule cannot follow.
    """
    if not words.strip():
        return ()
    if words.lstrip().startswith("{"):
        try:
            return (Steering.model_validate_json(words),)
        except ValidationError as error:
            raise BadInput(f"this is no steering: {error.errors()[0]['msg']}.") from None
    steering, unread = steering_of(words)
    if reads:
        return (steering or Steering(said=words, wish=words),)
    if unread or steering is None:
        what = ", ".join(repr(part) for part in unread) or repr(words)
        raise BadInput(f"the offline author cannot follow {what}.", 'Say "slower", "less bouncing", "feet higher".')
    return (steering,)


def steering_of(text: str, said: str = "") -> tuple[Steering | None, list[str]]:
    """Return what a wish about the motion means in numbers, and the clauses of it that were not understood."""
    found = _Wish()
    unread = []
    for clause in re.split(r"[,;:!?]|\.(?!\d)|\band\b|\bbut\b|\bthen\b", " ".join(text.lower().split())):
        clause = clause.replace("’", "'").strip()
        if not clause or _FILLER.match(clause) or _BUDGET.match(clause) or GO_ON.search(clause):
            continue
        if not found.take(clause):
            unread.append(clause)
    return found.steering(said or text), unread


class _Wish:
    """Gathers what the clauses of a wish mean."""

    def __init__(self) -> None:
        self.factors: dict[str, float] = {}
        self.weights: dict[str, float] = {}
        self.removed: list[str] = []
        self.speed = self.cadence = self.swing = 1.0
        self.taken = False

    def take(self, clause: str) -> bool:
        """Note what a clause asks for; False where it is not understood."""
        understood = self._pace(clause) or self._terms(clause) or self._motion(clause) or self._manner(clause)
        self.taken = self.taken or understood
        return understood

    def steering(self, said: str) -> Steering | None:
        if not self.taken:
            return None
        return Steering(
            said=" ".join(said.split()), weights=self.weights, weight_factors=self.factors,
            remove_terms=tuple(self.removed), speed_factor=_within(self.speed, 0.2, 3.0),
            cadence_factor=_within(self.cadence, 0.3, 3.0), swing_height_factor=_within(self.swing, 0.3, 3.0),
            wish=" ".join(said.split()),
        )  # fmt: skip

    def _pace(self, clause: str) -> bool:
        """Read "20 % slower", "reduce the speed by 20 %", "twice as fast", "half the speed"."""
        if re.search(rf"\b{_TERM}\b", clause):
            return False
        if match := re.search(r"(\d+(?:\.\d+)?)\s*(?:%|percent|per cent)", clause):
            share = float(match[1]) / 100.0
            down = bool(re.search(rf"\b(slower|less|{_DOWN})\b", clause))
            factor = 1.0 - share if down else 1.0 + share
            if re.search(r"\b(slower|faster|speed|pace)\b", clause):
                self._go(factor)
            elif re.search(r"\b(higher|lower|feet|foot|paws?|legs?)\b", clause) and "cadence" not in clause:
                self.swing *= factor
            elif re.search(r"\b(cadence|strides?|steps?)\b", clause):
                self.cadence *= 1.0 / factor if re.search(r"\b(longer|bigger|larger)\b", clause) else factor
            else:
                return False
            return True
        if match := re.search(r"\b(twice|half) (?:as (fast|slow)|the speed)|\b(double|halve) the speed", clause):
            factor = 2.0 if match[1] == "twice" or match[3] == "double" else 0.5
            self._go(1.0 / factor if match[2] == "slow" else factor)
            return True
        return False

    def _terms(self, clause: str) -> bool:
        """Read what names a term: "remove the slip term", "set the bounce weight to 2", "turn down the pose reward"."""
        if match := re.search(
            r"\b(?:remove|drop|delete|without|leave out|take out|get rid of|no more|switch off|turn off) "
            r"(?:the |any )?([\w -]+)", clause
        ):  # fmt: skip
            name = re.sub(rf"\b{_TERM}\b", "", match[1]).strip()
            kind = _term(name)
            if not re.search(rf"\b{_TERM}\b|_", match[1]) and (not kind or re.search("no more|without", match[0])):
                return False
            self.removed.append(kind or re.sub(r"[ -]+", "_", name))
            return True
        number = r"(?:to| =| is|:|)\s*(-?\d+(?:\.\d+)?)$"
        if match := re.search(
            rf"^(?:set |give |put )?(?:the )?(?:weight of (?:the )?)?([a-z][a-z _-]*?) ?{number}", clause
        ):
            if kind := _term(re.sub(rf"\b{_TERM}\b", "", match[1])):
                weight = float(match[2])
                self.weights[kind] = -abs(weight) if kind in _COSTS else weight
                return True
        named = re.search(rf"\b{_TERM}\b", clause) or re.search(rf"\b({_UP}|{_DOWN})\b", clause)
        kind = _term(clause) if named else None
        if kind and (kind != "speed" or re.search(rf"\b{_TERM}\b", clause)):
            more = bool(re.search(rf"\b({_UP}|more|stronger|higher|up)\b", clause))
            if not more and not re.search(rf"\b({_DOWN}|less|smaller|lower|down)\b", clause):
                return False
            if re.search(rf"\b{_TERM}\b", clause) or kind not in _COSTS:
                self._scale(kind, 2.0 if more else 0.5)
            else:  # less bouncing is more of what punishes it
                self._blame(kind, 0.5 if more else 2.0)
            return True
        return False

    def _motion(self, clause: str) -> bool:
        much, feet = _much(clause), r"(feet|foot|paws?|legs?|hoo(?:f|ves))"
        if re.search(r"\b(slow(er|ly)?|too fast)\b|(reduce|less|lower|decrease) .*(speed|pace)", clause):
            self._go(1.15**much if re.search(r"\b(too|less) slow", clause) else 0.85**much)
        elif re.search(
            r"\b(fast(er)?|quicker|speed up|hurry)\b(?! steps| strides)|more speed|increase .*(speed|pace)", clause
        ):
            self._go(0.85**much if re.search(r"\b(less|not so) fast", clause) else 1.15**much)
        elif re.search(r"\b(longer|bigger|larger|fewer) (strides?|steps?)|(lower|slower) cadence|stride out", clause):
            self.cadence *= 0.9**much
        elif re.search(r"\b((quick|short|small)er|more) (strides?|steps?)|(higher|faster) cadence", clause):
            self.cadence *= 1.1**much
        elif re.search(rf"\b{feet}\b.*\b(lower|less high)\b|\blower steps?|lift .*\bless\b|steps? too high", clause):
            self.swing *= 0.8**much
        elif re.search(
            rf"\bdrag|\b{feet}\b.*\b(higher|up|more|too low)\b|higher steps?|lift .*{feet}|clearance", clause
        ):
            self.swing *= 1.25**much
        else:
            return False
        return True

    def _manner(self, clause: str) -> bool:
        """Read faults that shall become fewer and virtues that shall grow; a fault that is named is a complaint."""
        factor = 2.0 ** _much(clause)
        if re.search(r"\b(smoother|calmer|gentler|softer)\b(?! land)", clause):
            for kind in ("smooth", "bounce", "wobble"):
                self._scale(kind, 1.5 ** _much(clause))
            return True
        less = bool(
            re.search(r"\b(less|fewer|not so|stop|don'?t|doesn'?t|too|avoid|reduce|without|no|never|so)\b", clause)
        )
        for kind, words in _VIRTUES.items():
            if re.search(rf"\b(?:{words})", clause):
                wants_less = re.search(r"\b(less|not so|too)\b", clause)
                self._scale(kind, 1.0 / factor if wants_less else factor)
                return True
        for kind, words in _FAULTS.items():
            if re.search(rf"\b(?:{words})", clause):
                self._blame(kind, 1.0 / factor if re.search(r"\bmore\b", clause) and not less else factor)
                return True
        return False

    def _blame(self, kind: str, factor: float) -> None:
        self._scale(kind, factor)
        if kind == "bounce":
            self._scale("chatter", 1.5 if factor > 1.0 else 0.67)

    def _go(self, factor: float) -> None:
        """Change the speed; an animal that goes slower takes somewhat fewer strides as well."""
        self.speed *= factor
        self.cadence *= factor**0.5

    def _scale(self, kind: str, factor: float) -> None:
        self.factors[kind] = round(self.factors.get(kind, 1.0) * factor, 4)


def _much(clause: str) -> float:
    if re.search(r"(?<!so )(?<!too )(?<!as )\b(much|a lot|far|way)\b", clause):
        return 2.0
    return 0.5 if re.search(r"\b(bit|little|slightly|tad)\b", clause) else 1.0


def _term(text: str) -> str | None:
    """Return the kind of the term that a text names, if any: the one named first."""
    words = re.sub(r"[_-]", " ", text)
    found = [
        (match.start(), kind) for kind, names in _TERMS.items() if (match := re.search(rf"\b(?:{names})\b", words))
    ]
    return min(found)[1] if found else None


def _within(value: float, least: float, most: float) -> float:
    return round(min(max(value, least), most), 4)
