"""What was tried before, told to a model: verdicts with moments and numbers, the reward to start from, what broke."""

from __future__ import annotations

import re

from video2reward.agent.authors import AuthorBrief, PriorReward
from video2reward.agent.settings import PromptMode
from video2reward.agent.variety import Direction
from video2reward.memory.records import Finding

_MOST_FINDINGS = 8
_SHORT_FINDINGS = 3


def history(brief: AuthorBrief, direction: Direction, mode: PromptMode) -> str:
    """Return the attempts worth knowing, those that this candidate is made from with their whole text."""
    if mode == "menu" or (mode == "short" and direction.parent is None):
        shown = [direction.parent] if direction.parent else []
        if not shown:
            return "# Nothing to start from."
        return "# What came of the last try\n\n" + _prior(shown[0], whole=False, brief=True)
    whole = {prior.attempt.id for prior in (direction.parent, direction.other) if prior}
    if mode == "short":
        return "# What to start from\n\n" + _prior(direction.parent, whole=True, brief=True)
    parts = []
    if brief.parents:
        parts.append("# What was tried in this run, the one that the agent goes on from first")
        parts += [_prior(prior, whole=prior.attempt.id in whole) for prior in brief.parents]
    if brief.remembered:
        parts.append("# Rewards of earlier runs for motions like this one, the nearest first")
        first = not brief.parents
        parts += [
            _prior(prior, whole=prior.attempt.id in whole or (first and index == 0))
            for index, prior in enumerate(brief.remembered)
        ]
    if brief.failures:
        parts.append("# What could not be trained at all\n\n" + "\n".join(f"- {said}" for said in brief.failures))
    return "\n\n".join(parts) if parts else "# Nothing was tried yet, and nothing like it is remembered."


def tail(body: str, after: str) -> str:
    """Return the argument that follows `after` in a body's last call."""
    return body[body.index(after) + len(after) :].rstrip().removesuffix(")")


def _prior(prior: PriorReward, *, whole: bool, brief: bool = False) -> str:
    """Say what came of a reward, with its terms where it is one to start from, and its weights otherwise."""
    attempt = prior.attempt
    lines = [f"## {attempt.id}"]
    if prior.recollection:
        lines.append(prior.recollection.sentence)
    if critique := attempt.critique:
        parts = critique.similarity
        lines.append(f"Verdict: {critique.verdict}")
        gates = critique.gates if not brief else [gate for gate in critique.gates if not gate.passed]
        lines += [f"- {gate.name}: {'passed' if gate.passed else 'FAILED'}. {gate.sentence}" for gate in gates]
        lines.append(
            f"- similarity {parts.gsi_ungated:.2f}{'' if critique.passed else ' if the gates held'}; errors: cadence "
            f"{parts.E_f:.3f}, duty {parts.E_beta:.3f}, phases {parts.E_phi:.3f}, Froude number {parts.E_Fr:.3f}"
        )
        lines += [f"- seen{_at(finding)}: {finding.sentence}" for finding in _worth_saying(critique.findings, brief)]
        lines += [f"- advice: {advice}" for advice in critique.advice[: _SHORT_FINDINGS if brief else _MOST_FINDINGS]]
    if (run := attempt.training) and not brief:
        means = ", ".join(f"{name} {value:+.3f}" for name, value in run.term_means.items())
        lines.append(
            f"Trained for {run.env_steps} steps{run.ending}. Mean of weight x term at the end: {means or '?'}."
        )
    lines += [f"- the trial remarked: {remark}" for remark in attempt.program.remarks]
    if whole:
        lines.append(f"```python\n{_terms_alone(prior.reward)}\n```")
    else:
        lines.append("Weights: " + ", ".join(f"{name} {weight:g}" for name, weight in attempt.program.terms.items()))
    return "\n".join(lines)


def _worth_saying(findings: tuple[Finding, ...], brief: bool) -> list[Finding]:
    useful = [finding for finding in findings if finding.quantity != "pictures"]
    return useful[: _SHORT_FINDINGS if brief else _MOST_FINDINGS]


def _at(finding: Finding) -> str:
    who = "" if finding.source == "physics" else f" by {finding.source}"
    return who + (f" at {finding.time_s:.1f} s" if finding.time_s is not None else "")


def _terms_alone(reward: str) -> str:
    """Return a reward file without the imports, which a model would only copy."""
    text = re.sub(r"^from [\w.]+ import (?:\([^)]*\)|[^\n]*)\n|^import \w+\n", "", reward, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip()
