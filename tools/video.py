"""Read clips: real time stamps, the rotation tag applied, frames one at a time; what is no clip is refused clearly."""

from __future__ import annotations

import math
from collections.abc import Iterator, Set
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from video2reward.memory.errors import BadClip, BadInput
from video2reward.memory.records import Clip
from video2reward.memory.runs import sha256_of
from video2reward.tools.alongside import ahead

MAX_FRAMES = 18_000
"""Frames that are read at most: ten minutes at 30 a second."""
MAX_WATCHED = 5_400
"""Frames that networks look at: three minutes, far more strides than any gait needs."""
_MAX_PACKETS = 1_000_000
MAX_PIXELS = 8192 * 8192
MIN_FRAMES = 4

_STILL_FORMATS = ("image2", "tty", "png_pipe", "jpeg_pipe", "bmp_pipe", "webp_pipe", "tiff_pipe", "svg_pipe")
# An IndexError comes from PyAV itself, where a damaged file gains a stream on the way.
_BROKEN = (av.error.FFmpegError, ValueError, OSError, MemoryError, IndexError)
_RECODE = "Re-encode it, for example: ffmpeg -i CLIP -c:v libx264 -pix_fmt yuv420p again.mp4"
_OTHER = "Give a video file such as .mp4, .mov, .mkv, .webm, .avi or .gif."


@dataclass(frozen=True)
class Frame:
    """One picture: `image` is (height, width, 3) RGB, contiguous; `scale` is its pixels per pixel of the clip."""

    index: int
    time_s: float
    image: NDArray[np.uint8]
    scale: float = 1.0


@dataclass(frozen=True)
class _Stamps:
    times_s: tuple[float, ...]
    declared: int
    declared_s: float
    cut_off: bool
    told: bool
    """Whether the file itself says when its frames are shown."""


def open_clip(
    path: Path | str, slow_motion_factor: float = 1.0, *, most: int = MAX_FRAMES, around_s: float | None = None
) -> Clip:
    """Return what a clip is: upright size, number of frames, and the even rate that comes nearest its time stamps.

    Of a longer clip than `most` frames so many are watched: the first, or those about `around_s`.
    The packets of the whole file are walked (not decoded), so a file that was cut off is found here.
    Raises BadClip for anything that is not a readable video of several frames.
    """
    path = Path(path)
    if not (math.isfinite(slow_motion_factor) and slow_motion_factor > 0):
        raise BadInput(f"the slow-motion factor {slow_motion_factor} is not above zero.", "1 means ordinary speed.")
    if not path.exists():
        raise BadClip(f"there is no file {path}.", "Check the name and the folder.")
    if not path.is_file():
        raise BadClip(f"{path} is not a file.", _OTHER)
    if path.stat().st_size == 0:
        raise BadClip(f"{path} is empty (0 bytes).", "Copy or download it again.")

    first, rotation = _first_frame(path)
    stamps = _stamps(path, path.stat().st_mtime_ns)
    times = stamps.times_s
    notes = []
    if len(times) < MIN_FRAMES:
        raise BadClip(
            f"{path} holds {len(times)} frame{'s' if len(times) != 1 else ''}: a still picture, not a clip.",
            "Give a video of at least two strides.",
        )
    seen = len(times) / stamps.declared if stamps.declared else 1.0
    if stamps.declared_s:
        seen = min(seen, (times[-1] - times[0] + times[1] - times[0]) / stamps.declared_s)
    if seen < 0.9 or stamps.cut_off:
        raise BadClip(
            f"{path} is cut off: it holds {times[-1]:.1f} s ({len(times)} frames), {100 * seen:.0f} % of what it says.",
            "Copy or download it again, or cut the good part out: ffmpeg -i CLIP -t "
            f"{max(times[-1] - 0.2, 0.1):.1f} good.mp4",
        )
    first_frame = 0
    if len(times) > most:
        if around_s is not None:
            first_frame = int(np.clip(np.searchsorted(times, times[0] + around_s) - most // 2, 0, len(times) - most))
        begin_s = times[first_frame] - times[0]
        times = times[first_frame : first_frame + most]
        notes.append(
            f"of a long clip {begin_s:.0f} to {begin_s + times[-1] - times[0]:.0f} s are watched; --at-second S "
            "watches what lies about S"
        )
    steps = np.diff(times)
    typical = float(np.median(steps))
    even = steps[steps < 5 * typical]
    if np.abs(even - typical).max(initial=0) > 0.2 * typical:
        notes.append(f"uneven frame times ({even.min() * 1000:.0f} to {even.max() * 1000:.0f} ms): put on an even grid")
    width, height = (first.height, first.width) if rotation % 180 else (first.width, first.height)
    return Clip(
        path=path,
        sha256=sha256_of(path),
        fps=float(1 / even.mean()),
        duration_s=float(times[-1] - times[0] + even.mean()),
        width_px=width,
        height_px=height,
        num_frames=len(times),
        first_frame=first_frame,
        rotation_deg=rotation,
        slow_motion_factor=slow_motion_factor,
        notes=tuple(notes),
    )


def frame_times(clip: Clip) -> NDArray[np.float64]:
    """Return the time stamp of every frame that is watched in seconds, (num_frames,), the first at 0."""
    times = np.asarray(_stamps(clip.path, clip.path.stat().st_mtime_ns).times_s)
    times = times[clip.first_frame : clip.first_frame + clip.num_frames]
    return times - times[0]


def start_s(clip: Clip) -> float:
    """Return when in the file what is watched begins, in seconds after its first frame."""
    times = _stamps(clip.path, clip.path.stat().st_mtime_ns).times_s
    return times[clip.first_frame] - times[0]


def frames(clip: Clip, *, max_side_px: int | None = None, only: Set[int] | None = None) -> Iterator[Frame]:
    """Decode a clip frame by frame, a few frames ahead of who looks at them; never more than those are held.

    With `max_side_px` larger pictures are scaled down on decoding; with `only`, no others than the frames of these
    numbers are handed out, and nothing after the last of them is decoded. Raises BadClip where the file is damaged.
    """
    yield from ahead(_decoded(clip, max_side_px, only))


def _decoded(clip: Clip, max_side_px: int | None, only: Set[int] | None) -> Iterator[Frame]:
    times = frame_times(clip)
    with _opened(clip.path) as container:
        stream = _video_stream(container, clip.path)
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = 2
        index, damaged = _go_to_start(container, stream, clip), 0
        earliest_s = -math.inf if index else _earliest_s(clip)
        last = len(times) - 1 if only is None else max(only, default=-1)
        origin: float | None = None
        try:
            for packet in container.demux(stream):
                try:
                    decoded = packet.decode()
                except av.error.InvalidDataError:
                    damaged += 1
                    decoded = []
                for frame in decoded:
                    damaged += bool(frame.is_corrupt)
                    if damaged > max(2, 0.02 * len(times)):
                        raise _damaged(clip.path, frame.time or 0.0)
                    if index > last:
                        return
                    if index < 0 or (frame.time is not None and frame.time < earliest_s):
                        index += index < 0
                        continue
                    origin = frame.time if origin is None else origin
                    if only is None or index in only:
                        time_s = frame.time - origin if frame.time is not None else times[index]
                        yield Frame(index, float(time_s), *_upright(frame, clip.rotation_deg, max_side_px))
                    index += 1
        except _BROKEN as error:
            raise _damaged(clip.path, times[min(index, len(times) - 1)]) from error
        if index < 0.9 * len(times):
            raise _damaged(clip.path, times[max(index - 1, 0)])


def _earliest_s(clip: Clip) -> float:
    """Return, in the file's own time, half a frame before what is watched begins."""
    times = _stamps(clip.path, clip.path.stat().st_mtime_ns).times_s
    return times[clip.first_frame] - 0.5 / clip.fps if clip.first_frame else -math.inf


def _go_to_start(container: av.container.InputContainer, stream: av.VideoStream, clip: Clip) -> int:
    """Jump before the first frame that is watched; return 0, or below it how many frames are to be passed over."""
    if not clip.first_frame:
        return 0
    if not _stamps(clip.path, clip.path.stat().st_mtime_ns).told or stream.time_base is None:
        return -clip.first_frame
    try:
        container.seek(int(_earliest_s(clip) / stream.time_base), stream=stream)
    except _BROKEN:
        return -clip.first_frame
    return 0


def _damaged(path: Path, time_s: float) -> BadClip:
    return BadClip(f"{path} is damaged: it cannot be decoded after {time_s:.1f} s.", _RECODE)


def _opened(path: Path) -> av.container.InputContainer:
    # With any level, libav's threads call into Python to log, and wait for ever for a thread that is closing them.
    av.logging.set_level(None)
    try:
        return av.open(str(path), metadata_errors="ignore")
    except _BROKEN as error:
        raise BadClip(f"{path} is not a video that can be read.", _OTHER) from error


def _video_stream(container: av.container.InputContainer, path: Path) -> av.VideoStream:
    if container.format.name in _STILL_FORMATS:
        kind = "a text file" if container.format.name == "tty" else "a still picture"
        raise BadClip(f"{path} is {kind}, not a clip.", "Give a video of at least two strides.")
    pictures = [stream for stream in container.streams.video if not _is_cover(stream)]
    if not pictures:
        kind = "only sound" if container.streams.audio else "no pictures"
        raise BadClip(f"{path} holds {kind}.", _OTHER)
    if pictures[0].codec_context is None:
        raise BadClip(f"{path} holds pictures of an unknown kind, or is damaged.", _RECODE)
    return pictures[0]


def _is_cover(stream: av.VideoStream) -> bool:
    """Tell the cover picture of a sound file from a video."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _first_frame(path: Path) -> tuple[av.VideoFrame, int]:
    """Return the first frame and how many degrees it is to be turned (counter-clockwise, a multiple of 90)."""
    with _opened(path) as container:
        stream = _video_stream(container, path)
        if stream.width * stream.height > MAX_PIXELS:
            raise BadClip(f"{path} is {stream.width}×{stream.height}, too large to watch.", "Scale it to 1920×1080.")
        try:
            frame = next(container.decode(stream), None)
        except _BROKEN as error:
            raise _damaged(path, 0.0) from error
        if frame is None or not frame.width or not frame.height:
            raise _damaged(path, 0.0)
        if frame.width * frame.height > MAX_PIXELS:
            raise BadClip(f"{path} is {frame.width}×{frame.height}, too large to watch.", "Scale it to 1920×1080.")
        return frame, round((frame.rotation or 0) / 90) * 90 % 360


@lru_cache(maxsize=8)
def _stamps(path: Path, mtime_ns: int) -> _Stamps:
    """Walk the packets without decoding. `mtime_ns` only keeps the cache honest."""
    times: list[float] = []
    cut_off = False
    with _opened(path) as container:
        stream = _video_stream(container, path)
        declared = stream.frames
        try:
            for packet in container.demux(stream):
                if packet.size and not packet.is_discard:
                    stamp = packet.pts if packet.pts is not None else packet.dts
                    times.append(float(stamp * packet.time_base) if stamp is not None else math.nan)
                if len(times) >= _MAX_PACKETS:
                    break
        except _BROKEN:
            cut_off = True
        declared_s = _declared_seconds(container, stream)
        rate = float(stream.average_rate or stream.guessed_rate or 25)
    told = not (any(math.isnan(time) for time in times) or len(set(times)) < len(times))
    if not told:
        times = [index / rate for index in range(len(times))]
    return _Stamps(tuple(sorted(times)), declared, declared_s, cut_off, told)


def _declared_seconds(container: av.container.InputContainer, stream: av.VideoStream) -> float:
    """Return how long the video stream says it is, 0 where it does not say."""
    if container.format.name == "gif":
        return 0.0
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if container.duration and len(container.streams) == 1:
        return container.duration / 1e6
    return 0.0


def _upright(frame: av.VideoFrame, rotation: int, max_side_px: int | None) -> tuple[NDArray[np.uint8], float]:
    scale = min(1.0, max_side_px / max(frame.width, frame.height)) if max_side_px else 1.0
    small = frame.reformat(
        width=max(round(frame.width * scale), 1), height=max(round(frame.height * scale), 1), format="rgb24"
    )
    # Rows of some widths are padded, and what reads the picture next finds nothing in it without saying so.
    return np.ascontiguousarray(np.rot90(small.to_ndarray(), rotation // 90)), scale
