"""The dry run against torch itself: the shapes on paper are those that are computed, and what grows is refused."""

import ast

import pytest
import torch
from video2reward.sim import scripted
from video2reward.sim.config import GO1
from video2reward.sim.contract import run_reward
from video2reward.sim.dry.calls import read_contract
from video2reward.sim.dry.run import DryRun
from video2reward.sim.dry.values import N, Tensor
from video2reward.sim.guard import check_source
from video2reward.sim.guard_names import allowed_names, ready_to_run

from .test_terms import TROT

NUM_ENVS = scripted.NUM_PHASES
HEAD = """import math
import torch
import torch.nn.functional as F
from video2reward.sim.contract import RewardState, Tensor, term
from video2reward.sim.terms import footfall_match, expected_stance, upright

@term(weight=1.0, serves="speed")
def probe(s: RewardState) -> Tensor:
"""
EXPRESSIONS = """
s.joint_pos.abs()
-s.joint_pos + 1
s.joint_pos * s.default_joint_pos
s.joint_pos[:, 3]
s.joint_pos[:, -1]
s.joint_pos[:, 1::3]
s.joint_pos[:, [0, 3, 6]]
s.joint_pos[..., :2]
s.joint_pos[:, None, :3]
s.joint_pos[None]
s.feet_vel_w[..., :2].norm(dim=-1)
s.feet_vel_w[:, 0, :]
s.feet_vel_w[:, :, None, 0]
s.feet_vel_w.flatten(1)
s.feet_vel_w.reshape(s.feet_vel_w.shape[0], -1)
s.joint_pos.view(-1, 4, 3)
s.joint_pos.view(s.joint_pos.shape[0], 2, -1).sum(dim=(1, 2))
s.joint_pos.unsqueeze(1).expand(-1, 5, -1)
s.default_joint_pos.repeat(s.joint_pos.shape[0], 2)
s.default_joint_pos.unsqueeze(0).expand_as(s.joint_pos)
s.joint_pos.T
s.joint_pos.transpose(0, 1)
s.feet_vel_w.permute(0, 2, 1)
s.default_joint_pos.mean()
s.joint_pos.mean(dim=1, keepdim=True)
s.default_joint_pos.sum(0)
s.joint_pos.std(dim=-1, unbiased=False)
s.joint_pos.var(1)
s.joint_pos.amax(dim=-1)
s.joint_pos.max(dim=1).values
s.joint_pos.max(dim=1)[1]
s.joint_pos.median(dim=-1)[0]
s.joint_pos.argmax(-1)
torch.maximum(s.joint_pos, torch.zeros_like(s.joint_pos))
torch.max(s.joint_pos, s.joint_vel)
torch.where(s.gait_phase[:, None] > 0.5, s.joint_pos, s.joint_vel)
torch.stack([s.gait_phase, s.base_height_m], dim=-1)
torch.stack([s.gait_phase, s.base_height_m])
torch.cat([s.joint_pos, s.joint_vel], dim=1)
torch.cat((s.joint_pos[:, :2], s.joint_vel, s.action), -1)
torch.cross(s.projected_gravity_b, s.base_ang_vel_b, dim=-1)
torch.linalg.norm(s.base_lin_vel_b[:, :2], dim=1)
torch.linalg.norm(s.base_lin_vel_b, ord=1, dim=-1, keepdim=True)
torch.linalg.vector_norm(s.feet_vel_w, dim=(1, 2))
torch.norm(s.joint_pos, p=2, dim=-1)
torch.softmax(s.feet_force_n, dim=-1)
torch.cumsum(s.feet_contact, dim=1)
torch.diff(s.joint_pos, dim=1)
torch.diff(s.joint_pos, n=2)
torch.roll(s.feet_contact, 1, 1)
torch.flip(s.feet_contact, dims=(1,))
torch.argsort(s.feet_height_m, dim=-1)
s.joint_pos.select(1, 3)
s.joint_pos.narrow(1, 2, 5)
torch.sort(s.feet_height_m, dim=-1).values
torch.topk(s.feet_height_m, 2, dim=1)[0]
torch.gather(s.feet_contact, 1, s.feet_height_m.argmax(dim=1, keepdim=True))
torch.index_select(s.joint_pos, 1, torch.tensor([0, 3]))
torch.chunk(s.joint_pos, 4, dim=1)[1]
torch.split(s.joint_pos, 5, dim=-1)[2]
s.joint_pos.split((4, 8), dim=1)[1]
s.feet_contact.unbind(-1)[2]
torch.zeros(s.joint_pos.shape[0], 3)
torch.ones((s.joint_pos.shape[0],))
torch.full((4,), 2.0)
torch.full_like(s.gait_phase, 3.0)
torch.arange(5)
torch.arange(0.0, 1.0, 0.3)
torch.linspace(0.0, 1.0, 7)
torch.tensor([[1.0, 2.0], [3.0, 4.0]])
torch.tensor(2.0)
s.gait_phase.new_tensor([1.0, 2.0])
s.gait_phase.new_zeros(3, 2)
s.joint_pos @ s.default_joint_pos
s.joint_pos @ torch.ones(12, 5)
s.feet_vel_w @ torch.ones(3, 2)
torch.einsum("nj,j->n", s.joint_pos, s.default_joint_pos)
torch.einsum("nfk,nfk->nf", s.feet_vel_w, s.feet_vel_w)
torch.logsumexp(s.joint_pos, dim=1)
torch.clamp(s.joint_pos, min=s.default_joint_pos)
torch.lerp(s.joint_pos, s.joint_vel, 0.5)
torch.atan2(s.base_lin_vel_b[:, 1], s.base_lin_vel_b[:, 0])
torch.nan_to_num(s.joint_pos, nan=0.0)
torch.logical_xor(s.feet_contact[:, 0] > 0, s.feet_contact[:, 1] > 0)
(s.feet_contact > 0.5) & ~(s.feet_height_m > 0.0)
(s.feet_contact > 0.5).sum(dim=1)
(s.feet_contact > 0.5).all(dim=1)
F.normalize(s.base_lin_vel_b, dim=-1)
F.softplus(s.joint_pos, beta=2.0)
F.huber_loss(s.joint_pos, s.joint_vel, reduction="none", delta=0.5)
F.mse_loss(s.default_joint_pos, torch.ones(12))
F.cosine_similarity(s.base_lin_vel_b, s.base_ang_vel_b, dim=-1)
F.relu(s.joint_pos)
s.joint_pos.squeeze()
s.joint_pos[:, :1].squeeze(-1)
s.joint_pos[:, :1].squeeze(0)
s.joint_pos.tile(1, 2)
s.joint_pos.to(torch.float32).type_as(s.action)
s.joint_pos.masked_fill(s.joint_pos > 0, 0.0)
s.joint_pos.prod(dim=-1)
s.joint_pos.isfinite().all(-1)
s.joint_pos.size(1) * s.gait_phase
sum([s.gait_phase, s.base_height_m], 0.0)
sum(x for x in s.feet_contact.unbind(-1))
torch.stack([x.square() for x in (s.gait_phase, s.base_height_m)]).sum(0)
footfall_match(s, offsets=(0.0, 0.5, 0.5, 0.0), duty=(0.5, 0.5, 0.5, 0.5))
expected_stance(s, offsets=(0.0, 0.5, 0.5, 0.0), duty=(0.5, 0.5, 0.5, 0.5))
upright(s)
abs(s.joint_pos)
pow(s.gait_phase, 2)
s.gait_phase ** torch.tensor([[2.0], [3.0]])
math.exp(-1.0) * s.gait_phase
(lambda x, k=2: x * k)(s.feet_contact)
""".strip().splitlines()


def source(body: str) -> str:
    return HEAD + "".join(f"    {line}\n" for line in body.splitlines())


def shape_on_paper(text: str) -> tuple[int, ...]:
    tree = ast.parse(text)
    run = DryRun(tree, read_contract(), GO1.num_joints, GO1.num_feet)
    (probe,) = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert all("not a tensor of shape" in said.cure for said in run.follow([probe]))
    value = run.returned["probe"]
    assert isinstance(value, Tensor)
    return tuple(NUM_ENVS if dim == N else dim for dim in value.shape)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_the_shape_on_paper_is_the_shape_that_torch_computes(expression):
    text = source(f"return {expression}")
    # Most of these are not (num_envs,), for which the guard would refuse them: they are run as what passed it is.
    tree = ast.parse(text)
    names = allowed_names(tree)
    (term,) = run_reward(compile(ready_to_run(tree), "reward.py", "exec"), names, "reward.py")
    computed = tuple(term.function(scripted.rough(GO1, TROT)).shape)
    assert shape_on_paper(text) == computed


def test_nothing_is_allowed_that_no_expression_here_or_in_the_suite_can_name():
    from video2reward.sim.dry.torch_table import METHODS, TORCH

    for name in TORCH:
        owner = torch
        for part in name.split("."):
            owner = getattr(owner, part, None)
        assert callable(owner), name
    assert all(callable(getattr(torch.Tensor, name)) for name in METHODS)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("x = s.gait_phase[:, None] * s.base_height_m\nreturn x.sum(-1)", "keep one num_envs axis"),
        ("return F.mse_loss(s.gait_phase[:, None], s.base_height_m) + s.gait_phase", "keep one num_envs axis"),
        ("return s.gait_phase.type() * 10", "raises an error"),
        ("xs = [1]\nfor x in xs:\n    xs.append(x)\nreturn s.gait_phase", "looked through"),
        ("xs = []\nfor a in (len(xs) for i in range(3)):\n    xs.append(a)\nreturn s.gait_phase", "write a list"),
        ("xs = []\nys = sum(1 for i in range(3) if not xs.append(i))\nreturn s.gait_phase", "in a generator"),
        ("g = (i for i in range(3))\nreturn s.gait_phase * sum(g)", "write list"),
        ("xs = [1] if s.leg_length_m > 0 else [1]\nreturn s.gait_phase * len(xs)", "two kinds"),
        ("n = s.joint_pos.shape[0]\nreturn torch.zeros(n * n)", "number of environments computed with"),
        ("return s.gait_phase[s.gait_phase > 0.5]", "torch.where"),
        ("if s.gait_phase > 0.5:\n    return s.gait_phase\nreturn s.base_height_m", "torch.where"),
        ("return (0 < s.gait_phase < 1).float()", "(low < x) & (x < high)"),
        ("x = (-8.0) ** 0.5\nreturn s.gait_phase", "complex"),
        ("return s.gait_phase * s.joint_pos.sum(dim=())", "name the axes"),
        ("return s.base_lin_vel", "did you mean .base_lin_vel_b"),
        ("return footfall_match(s, offset=(0.0,), duty=(0.5,))", "it takes offsets, duty"),
        ("return torch.norm(s.gait_phase, dims=-1)", "it takes input, p, dim"),
    ],
)
def test_a_refusal_names_the_line_and_what_to_write_instead(body, said):
    problems = check_source(source(body), GO1)
    assert problems and said in problems[0].message + problems[0].construct
    assert problems[0].line > HEAD.count("\n")


@pytest.mark.parametrize(
    "expression",
    """
s.joint_pos.sum(0)
s.joint_pos.mean()
s.joint_pos.max()
s.joint_pos.norm()
s.joint_pos.std(dim=(0, 1))
s.gait_phase.argmax()
s.gait_phase.cumsum(-1)
s.gait_phase.softmax(0)
s.gait_phase.sort().values
s.gait_phase.flip(0)
s.gait_phase.roll(1)
s.joint_pos.roll(shifts=(1, 1), dims=(0, 1))
s.gait_phase.diff()
s.joint_pos[0]
s.joint_pos[-1:]
s.joint_pos[::2]
s.joint_pos[[0, 1]]
s.joint_pos.select(0, 3)
s.joint_pos.gather(0, s.joint_pos.long())
s.joint_pos.index_select(0, torch.tensor([0]))
s.joint_pos.T @ s.joint_pos
s.gait_phase @ s.base_height_m
torch.einsum("ni,nj->ij", s.joint_pos, s.joint_vel)
s.joint_pos.reshape(12, -1)
F.normalize(s.joint_pos, dim=0)
F.mse_loss(s.joint_pos, s.joint_vel)
F.cosine_similarity(s.joint_pos, s.joint_vel, dim=0)
torch.arange(s.joint_pos.shape[0])
torch.linspace(0.0, 1.0, s.joint_pos.shape[0])
torch.full_like(s.gait_phase, len(s.gait_phase))
torch.tensor([len(s.gait_phase)])
s.gait_phase * s.gait_phase.numel()
s.gait_phase * float(s.gait_phase.size(0))
s.gait_phase * max(1, len(s.gait_phase))
s.gait_phase if len(s.gait_phase) > 1 else -s.gait_phase
s.gait_phase if len(s.gait_phase) else -s.gait_phase
s.gait_phase * (len(s.gait_phase) in (1, 64))
s.gait_phase * math.sqrt(len(s.gait_phase))
s.gait_phase * (len(s.gait_phase) if s.step_s > 0.0 else 64)
s.joint_pos.gather(1, torch.zeros(1, 4).long())
""".strip().splitlines(),
)
def test_what_mixes_or_counts_environments_is_refused(expression):
    said = " ".join(map(str, check_source(source(f"return {expression}"), GO1)))
    assert "environments" in said or "num_envs where it is" in said


def test_both_ways_of_an_if_on_a_number_of_the_state_are_followed():
    text = source("if s.leg_length_m > 0.1:\n    x = s.gait_phase\nelse:\n    x = torch.zeros(99999, 9)\nreturn x")
    assert check_source(text, GO1)


def test_a_way_that_is_known_not_to_be_taken_is_not_followed():
    text = source("if s.feet_contact.shape[1] == 2:\n    return s.feet_contact[:, 5]\nreturn s.gait_phase")
    assert check_source(text, GO1) == []
