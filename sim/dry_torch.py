"""The torch functions a reward may use, each with the rule that gives the shape of what it returns.

What is not in this table is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from video2reward.sim import dry_shapes as shapes
from video2reward.sim.dry_shapes import Args, Rule
from video2reward.sim.dry_values import (
    Device,
    Dtype,
    Ends,
    Items,
    Number,
    Refused,
    Tensor,
    Value,
    dim_number,
    number,
    size,
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
    return op.rule(Args(values))


def _op(names: str, params: str, rule: Rule) -> None:
    listed = params.split()
    needed = sum(param[-1] not in "?=" and not param.startswith("*") for param in listed)
    by_place = tuple(param.rstrip("?") for param in listed if not param.endswith("="))
    by_name = tuple(param.rstrip("=") for param in listed if param.endswith("="))
    for name in names.split():
        OPS[name] = Op(by_place, by_name, needed, rule)


_op("exp exp2 expm1 sqrt rsqrt reciprocal sin cos tan asin acos atan arcsin arccos arctan sinh cosh tanh sigmoid log "
    "log1p log2 log10 erf deg2rad rad2deg special.expit nn.functional.sigmoid nn.functional.tanh", "input",
    shapes.elementwise("input", kind="float"))  # fmt: skip
_op("abs absolute neg negative square sign sgn floor ceil trunc frac positive relu nn.functional.relu bitwise_not",
    "input", shapes.elementwise("input"))  # fmt: skip
_op("nn.functional.silu nn.functional.gelu nn.functional.softsign nn.functional.logsigmoid", "input", shapes.same)
_op("nn.functional.elu", "input alpha?", shapes.same)
_op("nn.functional.leaky_relu", "input negative_slope?", shapes.same)
_op("softplus nn.functional.softplus", "input beta? threshold?", shapes.same)
_op("round", "input decimals?", shapes.same)
_op("clone detach contiguous", "input", shapes.same)
_op("isnan isfinite isinf logical_not", "input", shapes.elementwise("input", kind="bool"))
_op("nan_to_num", "input nan? posinf? neginf?", shapes.same)
_op("clamp clip", "input min? max?", shapes.elementwise("input", "min", "max"))
_op("clamp_min", "input min", shapes.elementwise("input", "min"))
_op("clamp_max", "input max", shapes.elementwise("input", "max"))
_op("add sub subtract", "input other alpha?", shapes.elementwise("input", "other"))
_op("mul multiply maximum minimum fmax fmin fmod remainder floor_divide bitwise_and bitwise_or bitwise_xor",
    "input other", shapes.elementwise("input", "other"))  # fmt: skip
_op("div divide true_divide", "input other rounding_mode?", shapes.elementwise("input", "other", kind="float"))
_op("pow float_power", "input exponent", shapes.elementwise("input", "exponent"))
_op("atan2 arctan2 hypot copysign xlogy", "input other", shapes.elementwise("input", "other", kind="float"))
_op("eq ne lt le gt ge greater greater_equal less less_equal not_equal logical_and logical_or logical_xor",
    "input other", shapes.elementwise("input", "other", kind="bool"))  # fmt: skip
_op("isclose", "input other rtol? atol?", shapes.elementwise("input", "other", kind="bool"))
_op("lerp", "input end weight", shapes.elementwise("input", "end", "weight"))
_op("where", "condition input other", shapes.elementwise("condition", "input", "other"))
_op("masked_fill", "input mask value", shapes.elementwise("input", "mask", "value"))
_op("float double", "input", shapes.as_kind("float"))
_op("long int", "input", shapes.as_kind("int"))
_op("bool", "input", shapes.as_kind("bool"))
_op("to", "input other? dtype? device?", shapes.converted)
_op("type type_as", "input other", shapes.converted)
_op("sum nansum prod", "input dim? keepdim?", shapes.reduction())
_op("mean nanmean", "input dim? keepdim?", shapes.reduction("float"))
_op("all any", "input dim? keepdim?", shapes.reduction("bool"))
_op("amax amin", "input dim? keepdim?", lambda a: shapes.reduction(a.tensor().kind)(a))
_op("argmax argmin count_nonzero", "input dim? keepdim?", shapes.reduction("int"))
_op("std var", "input dim? unbiased? keepdim? correction?", shapes.reduction("float"))
_op("logsumexp", "input dim keepdim?", shapes.reduction("float"))
_op("norm", "input p? dim? keepdim?", shapes.reduction("float"))
_op("linalg.norm linalg.vector_norm", "input ord? dim? keepdim?", shapes.reduction("float"))
_op("max min", "input dim? keepdim?", shapes.extreme)
_op("median nanmedian", "input dim? keepdim?", shapes.extreme)
_op("softmax log_softmax nn.functional.softmax", "input dim", shapes.as_kind("float"))
_op("nn.functional.normalize", "input p? dim? eps?", shapes.same)
_op("nn.functional.cosine_similarity cosine_similarity", "x1 x2 dim? eps?", shapes.similarity)
_op("nn.functional.mse_loss nn.functional.l1_loss", "input target reduction=", shapes.loss)
_op("nn.functional.huber_loss", "input target reduction= delta=", shapes.loss)
_op("nn.functional.smooth_l1_loss", "input target reduction= beta=", shapes.loss)
_op("cumsum cumprod", "input dim", shapes.same)
_op("roll", "input shifts dims?", shapes.same)
_op("flip", "input *dims", shapes.same)
_op("diff", "input n? dim?", shapes.differences)
_op("argsort", "input dim? descending?", shapes.as_kind("int"))
_op("select", "input dim index", shapes.one_of)
_op("narrow", "input dim start length", shapes.part_of)
_op("sort", "input dim? descending?", shapes.same_pair)
_op("topk", "input k dim? largest? sorted?", shapes.top)
_op("gather", "input dim index", lambda a: Tensor(a.tensor("index").shape, a.tensor().kind))
_op("index_select", "input dim index", shapes.selected)
_op("unsqueeze", "input dim", shapes.unsqueezed)
_op("squeeze", "input dim?", shapes.squeezed)
_op("transpose swapaxes", "input dim0 dim1", shapes.swapped)
_op("permute", "input *dims", shapes.permuted)
_op("flatten", "input start_dim? end_dim?", shapes.flattened)
_op("view reshape", "input *shape", shapes.resized)
_op("unbind", "input dim?", shapes.unbound)
_op("split", "input size dim?", shapes.parted)
_op("chunk", "input chunks dim?", shapes.parted)
_op("stack", "tensors dim?", shapes.stacked)
_op("cat concat concatenate", "tensors dim?", shapes.joined_up)
_op("expand broadcast_to", "input *size", shapes.expanded)
_op("expand_as", "input other", shapes.expanded)
_op("repeat tile", "input *repeats", shapes.repeated)
_op("zeros ones", "*size", shapes.filled("float"))
_op("new_zeros new_ones", "input *size", shapes.filled())
_op("zeros_like ones_like", "input", shapes.filled())
_op("full", "size fill_value", shapes.full)
_op("full_like", "input fill_value", shapes.filled())
_op("new_full", "input size fill_value", shapes.full)
_op("tensor as_tensor", "data", shapes.written_out)
_op("new_tensor", "input data", shapes.written_out)
_op("arange", "start end? step?", shapes.counted)
_op("linspace", "start end steps", lambda a: Tensor((size(a["steps"]),)))
_op("matmul mm mv bmm", "input other", shapes.product)
_op("dot", "input other", shapes.product)
_op("cross linalg.cross", "input other dim?", shapes.elementwise("input", "other"))
_op("einsum", "equation *operands", shapes.einsum)
_op("size", "input dim?", lambda a: dim_number(a.tensor().shape[a.axis("dim", len(a.tensor().shape))])
    if "dim" in a else Items([dim_number(dim) for dim in a.tensor().shape]))  # fmt: skip
_op("dim ndimension", "input", lambda a: number(len(a.tensor().shape)))
_op("numel nelement", "input", lambda a: Number(None, True, 40))

_METHODS_ONLY = set(
    "float double long int bool to type type_as view expand expand_as repeat new_zeros new_ones new_full "
                    "new_tensor size dim ndimension numel nelement masked_fill contiguous".split())  # fmt: skip
_FUNCTIONS_ONLY = set(
    "zeros ones full zeros_like ones_like full_like tensor as_tensor arange linspace stack cat concat "
                      "concatenate einsum softplus cosine_similarity".split())  # fmt: skip
TORCH = {name for name in OPS if name not in _METHODS_ONLY} - {"softplus"}
METHODS = {name for name in OPS if name not in _FUNCTIONS_ONLY and "." not in name}
