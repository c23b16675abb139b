"""What a wish about a motion means in numbers: "slower, less bouncing", "remove the slip term", "speed 3"."""

from __future__ import annotations

import re

from pydantic import ValidationError
from video2reward.memory.errors import BadInput
from video2reward.memory.records import Steering

GO_ON = re.compile(r"\b(go on|goes on|continue|carry on|keep going|resume)\b")
_KIND_WORDS = {
    "slip": "slip", "slipping": "slip", "sliding": "slip", "foot slip": "slip", "footslip": "slip",
    "bounce": "bounce", "bouncing": "bounce", "bouncy": "bounce", "hopping": "bounce", "bobbing": "bounce",
    "wobble": "wobble", "wobbling": "wobble", "wobbly": "wobble", "shaking": "wobble", "shaky": "wobble",
    "swaying": "wobble", "rolling": "wobble", "jerk": "smooth", "jerky": "smooth", "jitter": "smooth",
    "smooth": "smooth", "smoothness": "smooth", "action rate": "smooth", "tilt": "level", "leaning": "level",
    "level": "level", "upright": "level", "chatter": "chatter", "tapping": "chatter", "stamping": "landing",
    "landing": "landing", "liftoff": "timing", "timing": "timing",
    "speed": "speed", "velocity": "speed", "heading": "heading", "turning": "heading", "drifting": "heading",
    "pose": "pose", "posture": "pose", "height": "height", "footfall": "footfalls", "footfalls": "footfalls",
    "gait": "footfalls", "torque": "effort", "effort": "effort", "energy": "effort", "soles": "soles",
}  # fmt: skip
_COSTS = {"slip", "bounce", "wobble", "smooth", "level", "chatter", "height", "effort", "soles", "landing", "timing"}
_FILLER = re.compile(
    r"^(?:please|now|ok(?:ay)?|and|then|but|so|it|the robot|robot|go1|g1|a bit|much|thanks?|make it|i want it|be|go|"
    r"walk|run|move|that|this|try|again|once more|with|for me|can you|could you|should|more|it should)$"
)

_BUDGET = re.compile(
    r"^(for |at most |up to |within )*\$? ?\d+(\.\d+)? ?(dollars?|usd|bucks|minutes?|mins?|hours?|h|\$)?( at most)?$"
)


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
    for clause in re.split(r"[,;!?]|\.(?!\d)|\band\b|\bbut\b|\bthen\b", " ".join(text.lower().split())):
        clause = clause.strip()
        if not clause or _FILLER.match(clause) or _BUDGET.match(clause) or GO_ON.search(clause):
            continue
        if not found.take(clause):
            unread.append(clause)
    return found.steering(said or text, unread), unread


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
        understood = self._numbers(clause) or self._terms(clause) or self._motion(clause)
        self.taken = self.taken or understood
        return understood

    def steering(self, said: str, unread: list[str]) -> Steering | None:
        if not self.taken:
            return None
        return Steering(
            said=" ".join(said.split()), weights=self.weights, weight_factors=self.factors,
            remove_terms=tuple(self.removed), speed_factor=_within(self.speed, 0.2, 3.0),
            cadence_factor=_within(self.cadence, 0.3, 3.0), swing_height_factor=_within(self.swing, 0.3, 3.0),
            wish=" ".join(said.split()),
        )  # fmt: skip

    def _numbers(self, clause: str) -> bool:
        """Read "20 % slower", "twice as fast", "half the speed", "speed 3", "double the bounce weight"."""
        if match := re.search(r"(\d+(?:\.\d+)?)\s*(?:%|percent|per cent)\s*(slower|faster|less|more)", clause):
            share = float(match[1]) / 100.0
            factor = 1.0 - share if match[2] in ("slower", "less") else 1.0 + share
            if match[2] in ("slower", "faster") or "speed" in clause:
                self._go(factor)
                return True
        if match := re.search(r"\b(twice|half) (?:as (fast|slow)|the speed)", clause):
            factor = 2.0 if match[1] == "twice" else 0.5
            self._go(1.0 / factor if match[2] == "slow" else factor)
            return True
        if match := re.search(r"\b(double|halve)\b(?: the)? ?([\w -]+?)(?: term| weight)?$", clause):
            if kind := _kind_word(match[2]):
                self.factors[kind] = self.factors.get(kind, 1.0) * (2.0 if match[1] == "double" else 0.5)
                return True
        pattern = r"(?:weight of (?:the )?)?([a-z][a-z _-]*?)(?: weight| term)?(?: to| =| is|:)? (-?\d+(?:\.\d+)?)$"
        if match := re.search(rf"^(?:set |give |put )?(?:the )?{pattern}", clause):
            name = match[1].strip()
            if kind := _kind_word(name):
                weight = float(match[2])
                self.weights[kind] = -abs(weight) if kind in _COSTS else weight
                return True
        return False

    def _terms(self, clause: str) -> bool:
        if match := re.search(
            r"\b(?:remove|drop|delete|without|leave out|take out|no more) (?:the )?([\w -]+)", clause
        ):
            name = re.sub(r"\b(terms?|cost|reward|penalty)\b", "", match[1]).strip()
            self.removed.append(_kind_word(name) or re.sub(r"[ -]+", "_", name))
            return True
        return False

    def _motion(self, clause: str) -> bool:
        much = 1.0
        if re.search(r"\b(much|lot|far|way)\b", clause):
            much = 2.0
        elif re.search(r"\b(bit|little|slightly)\b", clause):
            much = 0.5
        less = bool(re.search(r"\b(less|fewer|not so|stop|don'?t|too|avoid|reduce)\b", clause))
        if re.search(r"\b(slower|slow down|too fast)\b", clause):
            self._go(0.85**much)
        elif re.search(r"\b(faster|speed up|too slow)\b", clause):
            self._go(1.15**much)
        elif re.search(r"\b(longer (strides?|steps?)|fewer (strides?|steps?))\b", clause):
            self.cadence *= 0.9**much
        elif re.search(r"\b((quicker|shorter|smaller|more) (strides?|steps?)|higher cadence)\b", clause):
            self.cadence *= 1.1**much
        elif re.search(r"\b(feet|foot|steps?|paws?|legs?|lift)\b.*\b(higher|up more)\b|\bhigher steps?\b", clause):
            self.swing *= 1.25**much
        elif re.search(r"\b(feet|foot|steps?|paws?|legs?|lift)\b.*\blower\b|\blower steps?\b", clause):
            self.swing *= 0.8**much
        elif re.search(r"\b(smoother|calmer|gentler|softer)\b", clause):
            for kind in ("smooth", "bounce", "wobble"):
                self._scale(kind, 1.5**much)
        elif re.search(r"\b(straighter|straight)\b", clause):
            self._scale("heading", 2.0**much)
        elif re.search(r"\b(more (upright|level|stable)|steadier)\b", clause):
            self._scale("level", 1.5**much)
        elif kind := _kind_word(clause):
            more = bool(re.search(r"\b(more|stronger|harder)\b", clause))
            if not (less or more):
                return False
            # Less bouncing is more of what punishes it; less speed is less of what pays for it.
            punish = less if kind in _COSTS else more
            self._scale(kind, (2.0 if punish else 0.5) ** much)
            if kind == "bounce":
                self._scale("chatter", (1.5 if punish else 0.67) ** much)
        else:
            return False
        return True

    def _go(self, factor: float) -> None:
        """Change the speed; an animal that goes slower takes somewhat fewer strides as well."""
        self.speed *= factor
        self.cadence *= factor**0.5

    def _scale(self, kind: str, factor: float) -> None:
        self.factors[kind] = round(self.factors.get(kind, 1.0) * factor, 4)


def _kind_word(text: str) -> str | None:
    words = re.sub(r"[_-]", " ", text)
    for phrase in sorted(_KIND_WORDS, key=len, reverse=True):
        if re.search(rf"\b{phrase}\b", words):
            return _KIND_WORDS[phrase]
    return None


def _within(value: float, least: float, most: float) -> float:
    return round(min(max(value, least), most), 4)
