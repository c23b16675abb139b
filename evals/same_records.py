"""Is a language model's run the same run? One with the offline author, one through the scripted server, compared.

The server answers over real HTTP what the offline author wrote, in the form a model is asked for; the second run must
come to the same records: terms, weights, verdicts of the guard, trainings. And each token and dollar that the server
claimed must be in the run's spending.

    python -m video2reward.evals.same_records --clip examples/dog_trot.mp4
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import Field
from video2reward.agent.folder import RunFolder
from video2reward.agent.llm import LlmAuthor
from video2reward.agent.narrate import decisions_of
from video2reward.agent.offline import OfflineAuthor
from video2reward.agent.prices import price_of
from video2reward.agent.session import start
from video2reward.agent.settings import Settings
from video2reward.agent.toolbox import Toolbox, Tools
from video2reward.evals.scripted_openai import Reply, ScriptedOpenAI, serve
from video2reward.memory.records import Attempt, MotionTarget, Record, RewardDraft, RunRequest

MODEL = "gpt-4o-mini"
"""The name the server answers to: one that the price table knows, so that dollars can be compared."""
_PROMPT_TOKENS, _COMPLETION_TOKENS = 1234, 321


class Compared(Record):
    """What two runs came to, attempt by attempt, and what the server claimed against what was counted."""

    offline: tuple[str, ...]
    model: tuple[str, ...]
    calls: int
    tokens_claimed: int
    tokens_counted: int
    usd_claimed: float = Field(description="what the server's tokens cost by the price that was set")
    usd_counted: float

    @property
    def same(self) -> bool:
        paid = abs(self.usd_claimed - self.usd_counted) < 1e-9
        return self.offline == self.model and self.tokens_claimed == self.tokens_counted and paid


def same_records(
    request: RunRequest,
    folder: Path,
    tools: Callable[[], Toolbox] = Tools,
    faults: Sequence[Reply] = (),
    examine: Callable[[RewardDraft, MotionTarget], str] | None = None,
) -> Compared:
    """Run a request twice, below `folder`; `faults` are answers the server gives before each good one.

    A fault must be one that costs a repair or a second try, not a candidate. `examine` stands in for guard and trial.
    """
    offline, model = folder / "offline", folder / "model"
    start(request.model_copy(update={"out": offline, "author": "offline"}), tools=tools(), author=OfflineAuthor())
    answers = [reply for draft in _asked_for(RunFolder(offline)) for reply in (*faults, _answer(draft))]
    price = price_of(MODEL)
    assert price, f"the price table has no {MODEL}"
    with serve() as server:
        server.script(*answers, Reply(status=500, error="more was asked for than the offline author wrote"))
        author = LlmAuthor(MODEL, _settings(server), examine)
        start(request.model_copy(update={"out": model, "author": author.name}), tools=tools(), author=author)
        spent = json.loads((model / "spending.json").read_text(encoding="utf-8"))
        return Compared(
            offline=_told(RunFolder(offline)),
            model=_told(RunFolder(model)),
            calls=len(server.requests),
            tokens_claimed=server.tokens,
            tokens_counted=spent["tokens"],
            usd_claimed=price.usd(server.input_tokens, server.tokens - server.input_tokens),
            usd_counted=spent["usd"],
        )


def _settings(server: ScriptedOpenAI) -> Settings:
    # The rules that fit weights would write candidates of their own, which the offline author did not.
    return Settings(base_url=server.url, timeout_s=30.0, fit_weights=False, prompt="full", vision=False)


def _asked_for(disk: RunFolder) -> list[RewardDraft]:
    """Return the drafts of a run that a model would have been asked for: not those that only train longer."""
    decisions = {decision.lap: decision for decision in decisions_of(disk.path)}
    asked: list[RewardDraft] = []
    lap = 1
    while proposed := disk.lap(lap):
        drafts = [draft for draft in proposed.drafts if isinstance(draft, RewardDraft)]
        asked += drafts[1:] if decisions[lap - 1].action == "train_longer" else drafts
        lap += 1
    return asked


def _answer(draft: RewardDraft) -> Reply:
    answer = {
        "rationale": draft.rationale,
        "edits": list(draft.edits),
        "start_from_parent_policy": draft.warm_start is not None,
        "terms": [term.model_dump() for term in draft.terms],
    }
    return Reply(json.dumps(answer), prompt_tokens=_PROMPT_TOKENS, completion_tokens=_COMPLETION_TOKENS)


def _told(disk: RunFolder) -> tuple[str, ...]:
    return tuple(_line(attempt) for attempt in disk.attempts())


def _line(attempt: Attempt) -> str:
    """Say everything of an attempt that must not depend on who wrote it."""
    terms = " ".join(f"{name}={weight:g}" for name, weight in attempt.program.terms.items())
    trained = attempt.training.status if attempt.training else "untrained"
    judged = "unjudged" if not attempt.critique else "passed" if attempt.passed else "failed"
    return f"{attempt.id} {attempt.program.status} {trained} {judged} {terms}"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the comparison; 0 where the two runs are the same."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--keypoints", type=Path)
    parser.add_argument("--robot", default="go1")
    parser.add_argument("--laps", type=int, default=2)
    # One a lap: of two, the slower is spared once the faster is good enough, and that is a matter of milliseconds.
    parser.add_argument("--candidates", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=10.0)
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        request = RunRequest(
            clip=given.clip.absolute(),
            keypoints=given.keypoints.absolute() if given.keypoints else None,
            robot=given.robot,
            laps=given.laps,
            candidates=given.candidates,
            minutes=given.minutes,
            out=Path(name) / "x",
        )
        compared = same_records(request, Path(name))
    for one, two in zip(compared.offline, compared.model, strict=False):
        print(f"offline  {one}\nmodel    {two}")
    print(f"tokens   {compared.tokens_claimed} claimed in {compared.calls} calls, {compared.tokens_counted} counted")
    print(f"dollars  {compared.usd_claimed:.6f} claimed, {compared.usd_counted:.6f} counted")
    print("the same" if compared.same else "NOT THE SAME")
    return 0 if compared.same else 1


if __name__ == "__main__":
    sys.exit(main())
