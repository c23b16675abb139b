"""The author behind the OpenAI protocol: any model, hosted or local, that answers chat completions.

Whatever goes wrong becomes a reason in a record: a candidate that cannot be used is handed over as Unusable, and a
server that cannot be used at all is AuthorFailed. Not every candidate costs a call: training longer, and weights that
are fitted by rule, need no model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from video2reward.agent.answers import BadAnswer, answer_schema, draft_from, read_answer
from video2reward.agent.authors import AuthorBrief, Bill, Unusable, Usage
from video2reward.agent.briefing import repair_prompt, system_prompt, task_prompt
from video2reward.agent.choosing import Wish, ask_model
from video2reward.agent.fitting import fit_weights
from video2reward.agent.kept import Message
from video2reward.agent.menu import choice_schema, menu, read_choice
from video2reward.agent.model import ModelClient, PromptTooLong
from video2reward.agent.settings import PromptMode, Settings, model_settings
from video2reward.agent.variety import Direction, directions
from video2reward.memory.errors import AuthorFailed, BadReward, MissingPart
from video2reward.memory.records import Attempt, Decision, MotionTarget, RewardDraft

REPAIRS = 2
_FULL_TOKENS, _SHORT_TOKENS = 12_000, 4_000
_SMALLER: dict[PromptMode, PromptMode] = {"full": "short", "short": "menu"}
_MOST_ANSWER_CHARS = 20_000
_SHARE_OF_TIME = 0.5
"""A lap's candidates may together take this share of the time that is left; the rest is for training."""


class LlmAuthor:
    """Ask a model for rewards, one candidate after the other, so that each can be told to differ from those before."""

    def __init__(
        self,
        model: str,
        settings: Settings | None = None,
        examine: Callable[[RewardDraft, MotionTarget], str] | None = None,
    ) -> None:
        self.name = f"openai:{model}"
        self.settings = settings or model_settings("author")
        require_server(self.name, self.settings, "or use --author offline.")
        self._client = ModelClient(model, self.settings)
        self._examine = examine or problem_with
        self._mode: PromptMode | None = None if self.settings.prompt == "auto" else self.settings.prompt

    @property
    def usage(self) -> Usage:
        return self._client.usage

    def bill_to(self, bill: Bill) -> None:
        self._client.bill = bill

    def choose(self, decision: Decision, attempts: Sequence[Attempt]) -> Wish | None:
        """Return what the model would do next, where the settings want it asked."""
        return ask_model(self._client, decision, attempts, decision.lap) if self.settings.decides else None

    @property
    def sees(self) -> bool:
        """Whether pictures are of use to it, as far as is known yet."""
        return self._client.sees

    def propose(self, brief: AuthorBrief, num_candidates: int, seed: int) -> list[RewardDraft | Unusable]:
        """Return a draft, or why there is none, for each candidate. Raises AuthorFailed where no answer came at all."""
        proposed: list[RewardDraft | Unusable] = []
        ways = directions(brief, num_candidates, fit_weights=self.settings.fit_weights)
        for index, direction in enumerate(ways):
            if free := self._without_a_model(direction, brief):
                proposed.append(free)
                continue
            if direction.way == "weights":  # no rule has a say: the model is asked after all
                direction = Direction("mutate", direction.parent)
            before = [draft.rationale for draft in proposed if isinstance(draft, RewardDraft)]
            within_s = max(_SHARE_OF_TIME * brief.wall_left_s / num_candidates, 10.0)
            try:
                proposed.append(self._candidate(brief, direction, before, seed + index, within_s))
            except AuthorFailed as error:
                if not any(isinstance(draft, RewardDraft) for draft in proposed):
                    raise
                # The server is gone; what it gave before still counts.
                missing = num_candidates - len(proposed)
                return proposed + [Unusable(author=self.name, reason=str(error))] * missing
        return proposed

    def _without_a_model(self, direction: Direction, brief: AuthorBrief) -> RewardDraft | None:
        parent = direction.parent
        if direction.way == "weights" and parent:
            return fit_weights(parent, brief.target, f"{self.name}, weights by rule")
        if direction.way != "again" or not (parent and parent.draft):
            return None
        return parent.draft.model_copy(
            update={
                "author": self.name,
                "parent": parent.attempt.id,
                "edits": ("unchanged: it was still learning",),
                "warm_start": parent.attempt.id,
                "max_env_steps": None,
            }
        )

    def _candidate(
        self, brief: AuthorBrief, direction: Direction, before: list[str], seed: int, within_s: float
    ) -> RewardDraft | Unusable:
        """Ask for one candidate; a prompt that does not fit the model's window is made shorter, for good."""
        while True:
            mode = self._mode_now()
            try:
                draft = self._asked(brief, direction, before, seed, within_s, mode)
            except PromptTooLong as error:
                if self.settings.prompt != "auto" or mode not in _SMALLER:
                    raise AuthorFailed(
                        f"the prompt does not fit {self.name}: {error}",
                        'Set prompt = "short" or "menu" for the author, or give the server a larger window.',
                    ) from None
                self._mode = _SMALLER[mode]
                continue
            if isinstance(draft, Unusable) and self.settings.prompt == "auto" and mode in _SMALLER:
                # It was asked for more than it can do: the next candidate is asked for less.
                self._mode = _SMALLER[mode]
            return draft

    def _asked(
        self,
        brief: AuthorBrief,
        direction: Direction,
        before: list[str],
        seed: int,
        within_s: float,
        mode: PromptMode,
    ) -> RewardDraft | Unusable:
        pictures = tuple(picture.path for picture in brief.pictures) if self.sees and mode == "full" else ()
        messages = [
            Message("system", system_prompt(brief.target, mode, direction)),
            Message("user", task_prompt(brief, direction, before, mode=mode, pictures=bool(pictures)), pictures),
        ]
        schema = choice_schema() if mode == "menu" else answer_schema()
        text = problem = ""
        for _ in range(1 + REPAIRS):
            text, problem = self._client.ask(
                messages, temperature=direction.temperature, seed=seed, schema=schema, within_s=within_s
            )
            if not problem:
                try:
                    draft = self._draft(text, direction, brief.target, mode)
                    problem = self._examine(draft, brief.target)
                except BadAnswer as error:
                    problem = str(error)
                else:
                    if not problem:
                        return draft
            messages += [Message("assistant", text or "(nothing)"), Message("user", repair_prompt(problem))]
        return Unusable(
            author=self.name, reason=f"after {REPAIRS} repairs: {problem}", answer=text[:_MOST_ANSWER_CHARS]
        )

    def _draft(self, text: str, direction: Direction, target: MotionTarget, mode: PromptMode) -> RewardDraft:
        parent = direction.parent.attempt.id if direction.parent else None
        if mode == "menu":
            return read_choice(text, menu(target, direction.parent), author=self.name, parent=parent)
        return draft_from(read_answer(text), author=self.name, parent=parent, edits_of_parent=parent is not None)

    def _mode_now(self) -> PromptMode:
        if self._mode is None:
            window = self._client.context_tokens() or _FULL_TOKENS
            self._mode = "full" if window >= _FULL_TOKENS else "short" if window >= _SHORT_TOKENS else "menu"
        return self._mode


def require_server(name: str, settings: Settings, otherwise: str) -> None:
    """Raise MissingPart where there is neither a server nor a key to reach a model with."""
    if not settings.usable:
        raise MissingPart(
            f"{name} needs a server or a key.",
            f"Set V2R_BASE_URL for a local server, or OPENAI_API_KEY, or write video2reward.toml; {otherwise}",
        )


def problem_with(draft: RewardDraft, target: MotionTarget) -> str:
    """Return why a draft could not be trained with, by the same guard and trial that it will meet."""
    from video2reward.tools.write_reward import compose, examine

    try:
        tried = examine(compose(draft, target), target)
    except BadReward as error:
        return str(error)
    return " ".join([tried.problem, *(f"Also, {remark}" for remark in tried.remarks)]) if tried.problem else ""
