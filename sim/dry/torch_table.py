"""The torch functions a reward may use, each with the rule that gives the shape of what it returns.

What is not in this table is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from video2reward.sim.dry import layout, making, reducing
from video2reward.sim.dry.args import Args, Rule
from video2reward.sim.dry.values import (
    Device,
    Dtype,
    Ends,
    Items,
    Refused,
    Tensor,
    Value,
    apart,
    dim_number,
    integer,
    not_counted,
    number,
)


@dataclass(frozen=True)
class Op:
    """A function: its parameters in order (`*name` takes the rest), those given by name alone, how many it needs."""

    params: tuple[str, ...]
    named: tuple[str, ...]
    needed: int
    rule: Rule


OPS: dict[str, Op] = {}
_ALIASES = {"axis": "dim", "keepdims": "keepdim", "axes": "dims", "a": "input", "x": "input"}
_ANYWHERE = {"dtype", "device"}
_SIZES = {"size", "shape", "repeats"}
"""The parameters that the number of environments may be given to."""


def call(name: str, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    """Return what a function of the table gives. Raises Refused for an argument that is not in it."""
    op = OPS[name]
    values: dict[str, Value] = {}
    plain = [param for param in op.params if not param.startswith("*")]
    known = {*plain, *op.named, *_ANYWHERE}
    for param, value in zip(plain, arguments, strict=False):
        values[param] = value
    if len(arguments) > len(plain) or len(plain) < len(op.params):
        if len(plain) == len(op.params):
            raise Refused(f"{name}(…)", f"it takes {', '.join(plain)}")
        values[op.params[-1][1:]] = Items(arguments[len(plain) :])
    for given, value in keywords.items():
        param = given if given in known else _ALIASES.get(given, given)
        if param == op.params[-1].lstrip("*") and param not in plain:
            value = value if isinstance(value, Items) else Items([value])
        elif param not in known:
            raise Refused(f"{given}= in {name}", f"it takes {', '.join([*plain, *op.named])}")
        if given == "device" and not isinstance(value, Device):
            raise Refused(f"device= in {name}", "write device=s.joint_pos.device, or leave it out")
        if given == "dtype" and not isinstance(value, Dtype):
            raise Refused(f"dtype= in {name}", "write dtype=torch.float32, or leave it out")
        values[param] = value
    if any(param not in values for param in plain[: op.needed]):
        raise Ends
    for param, value in values.items():
        if param not in _SIZES:
            not_counted(value)
    return op.rule(Args(values, name))


def _numel(x: Tensor) -> Value:
    apart(x.shape, range(len(x.shape)), "the numbers counted of")
    return number(x.per_env)


def _op(names: str, params: str, rule: Rule) -> None:
    listed = params.split()
    needed = sum(param[-1] not in "?=" and not param.startswith("*") for param in listed)
    by_place = tuple(param.rstrip("?") for param in listed if not param.endswith("="))
    by_name = tuple(param.rstrip("=") for param in listed if param.endswith("="))
    for name in names.split():
        OPS[name] = Op(by_place, by_name, needed, rule)


_op("exp exp2 expm1 sqrt rsqrt reciprocal sin cos tan asin acos atan arcsin arccos arctan sinh cosh tanh sigmoid log "
    "log1p log2 log10 erf deg2rad rad2deg special.expit nn.functional.sigmoid nn.functional.tanh", "input",
    reducing.elementwise("input", kind="float"))  # fmt: skip
_op("abs absolute neg negative square sign sgn floor ceil trunc frac positive relu nn.functional.relu bitwise_not",
    "input", reducing.elementwise("input"))  # fmt: skip
_op("nn.functional.silu nn.functional.gelu nn.functional.softsign nn.functional.logsigmoid", "input", making.same)
_op("nn.functional.elu", "input alpha?", making.same)
_op("nn.functional.leaky_relu", "input negative_slope?", making.same)
_op("softplus nn.functional.softplus", "input beta? threshold?", making.same)
_op("round", "input decimals?", making.same)
_op("clone detach contiguous", "input", making.same)
_op("isnan isfinite isinf logical_not", "input", reducing.elementwise("input", kind="bool"))
_op("nan_to_num", "input nan? posinf? neginf?", making.same)
_op("clamp clip", "input min? max?", reducing.elementwise("input", "min", "max"))
_op("clamp_min", "input min", reducing.elementwise("input", "min"))
_op("clamp_max", "input max", reducing.elementwise("input", "max"))
_op("add sub subtract", "input other alpha?", reducing.elementwise("input", "other"))
_op("mul multiply maximum minimum fmax fmin fmod remainder floor_divide bitwise_and bitwise_or bitwise_xor",
    "input other", reducing.elementwise("input", "other"))  # fmt: skip
_op("div divide true_divide", "input other rounding_mode?", reducing.elementwise("input", "other", kind="float"))
_op("pow float_power", "input exponent", reducing.elementwise("input", "exponent"))
_op("atan2 arctan2 hypot copysign xlogy", "input other", reducing.elementwise("input", "other", kind="float"))
_op("eq ne lt le gt ge greater greater_equal less less_equal not_equal logical_and logical_or logical_xor",
    "input other", reducing.elementwise("input", "other", kind="bool"))  # fmt: skip
_op("isclose", "input other rtol? atol?", reducing.elementwise("input", "other", kind="bool"))
_op("lerp", "input end weight", reducing.elementwise("input", "end", "weight"))
_op("where", "condition input other", reducing.elementwise("condition", "input", "other"))
_op("masked_fill", "input mask value", reducing.elementwise("input", "mask", "value"))
_op("float double", "input", making.as_kind("float"))
_op("long int", "input", making.as_kind("int"))
_op("bool", "input", making.as_kind("bool"))
_op("to", "input other? dtype? device?", making.converted)
_op("type type_as", "input other", making.converted)
_op("sum nansum prod", "input dim? keepdim?", reducing.reduction())
_op("mean nanmean", "input dim? keepdim?", reducing.reduction("float"))
_op("all any", "input dim? keepdim?", reducing.reduction("bool"))
_op("amax amin", "input dim? keepdim?", lambda a: reducing.reduction(a.tensor().kind)(a))
_op("argmax argmin count_nonzero", "input dim? keepdim?", reducing.reduction("int"))
_op("std var", "input dim? unbiased? keepdim? correction?", reducing.reduction("float"))
_op("logsumexp", "input dim keepdim?", reducing.reduction("float"))
_op("norm", "input p? dim? keepdim?", reducing.norm)
_op("linalg.norm linalg.vector_norm", "input ord? dim? keepdim?", reducing.norm)
_op("max min", "input dim? keepdim?", reducing.extreme)
_op("median nanmedian", "input dim? keepdim?", reducing.extreme)
_op("softmax log_softmax nn.functional.softmax", "input dim", reducing.along)
_op("nn.functional.normalize", "input p? dim? eps?", reducing.along)
_op("nn.functional.cosine_similarity cosine_similarity", "x1 x2 dim? eps?", reducing.similarity)
_op("nn.functional.mse_loss nn.functional.l1_loss", "input target reduction=", reducing.loss)
_op("nn.functional.huber_loss", "input target reduction= delta=", reducing.loss)
_op("nn.functional.smooth_l1_loss", "input target reduction= beta=", reducing.loss)
_op("cumsum cumprod", "input dim", reducing.along)
_op("roll", "input shifts dims?", layout.moved)
_op("flip", "input *dims", layout.moved)
_op("diff", "input n? dim?", reducing.differences)
_op("argsort", "input dim? descending?", reducing.ranked)
_op("select", "input dim index", layout.one_of)
_op("narrow", "input dim start length", layout.part_of)
_op("sort", "input dim? descending?", reducing.same_pair)
_op("topk", "input k dim? largest? sorted?", reducing.top)
_op("gather", "input dim index", layout.gathered)
_op("index_select", "input dim index", layout.selected)
_op("unsqueeze", "input dim", layout.unsqueezed)
_op("squeeze", "input dim?", layout.squeezed)
_op("transpose swapaxes", "input dim0 dim1", layout.swapped)
_op("permute", "input *dims", layout.permuted)
_op("flatten", "input start_dim? end_dim?", layout.flattened)
_op("view reshape", "input *shape", layout.resized)
_op("unbind", "input dim?", layout.unbound)
_op("split", "input size dim?", layout.parted)
_op("chunk", "input chunks dim?", layout.parted)
_op("stack", "tensors dim?", layout.stacked)
_op("cat concat concatenate", "tensors dim?", layout.joined_up)
_op("expand broadcast_to", "input *size", layout.expanded)
_op("expand_as", "input other", layout.expanded)
_op("repeat tile", "input *repeats", layout.repeated)
_op("zeros ones", "*size", making.filled("float"))
_op("new_zeros new_ones", "input *size", making.filled())
_op("zeros_like ones_like", "input", making.filled())
_op("full", "size fill_value", making.full)
_op("full_like", "input fill_value", making.filled())
_op("new_full", "input size fill_value", making.full)
_op("tensor as_tensor", "data", making.written_out)
_op("new_tensor", "input data", making.written_out)
_op("arange", "start end? step?", making.counted)
_op("linspace", "start end steps", lambda a: Tensor((integer(a["steps"]),)))
_op("matmul mm mv bmm", "input other", reducing.product)
_op("dot", "input other", reducing.product)
_op("cross linalg.cross", "input other dim?", reducing.elementwise("input", "other"))
_op("einsum", "equation *operands", reducing.einsum)
_op("size", "input dim?", lambda a: dim_number(a.tensor().shape[a.axis("dim", len(a.tensor().shape))])
    if "dim" in a else Items([dim_number(dim) for dim in a.tensor().shape]))  # fmt: skip
_op("dim ndimension", "input", lambda a: number(len(a.tensor().shape)))
_op("numel nelement", "input", lambda a: _numel(a.tensor()))

_METHODS_ONLY = set(
    "float double long int bool to type type_as view expand expand_as repeat new_zeros new_ones new_full "
                    "new_tensor size dim ndimension numel nelement masked_fill contiguous".split())  # fmt: skip
_FUNCTIONS_ONLY = set(
    "zeros ones full zeros_like ones_like full_like tensor as_tensor arange linspace stack cat concat "
                      "concatenate einsum softplus cosine_similarity".split())  # fmt: skip
TORCH = {name for name in OPS if name not in _METHODS_ONLY} - {"softplus"}
METHODS = {name for name in OPS if name not in _FUNCTIONS_ONLY and "." not in name}
