"""Write a video that browsers play, and turn one into a GIF that pages and chats show."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import av.filter
import numpy as np
from numpy.typing import NDArray
from video2reward.memory.errors import BadInput


def write_video(out: Path, pictures: Iterable[NDArray[np.uint8]], fps: int) -> None:
    """Write pictures (H, W, 3) RGB as H.264 as they come; the file appears whole or not at all.

    Sizes are made even for 4:2:0 colour. Raises BadInput where there is no picture.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.stem}.part.mp4")
    try:
        with av.open(str(part), "w", options={"movflags": "+faststart"}) as container:
            stream = None
            for picture in pictures:
                picture = picture[: len(picture) // 2 * 2, : picture.shape[1] // 2 * 2]
                if stream is None:
                    stream = container.add_stream("libx264", rate=fps, options={"crf": "23", "preset": "veryfast"})
                    stream.height, stream.width = picture.shape[:2]
                    stream.pix_fmt = "yuv420p"
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
                container.mux(stream.encode(frame))
            if stream is None:
                raise BadInput(f"there is nothing to show in {out}.", "Give something that lasts longer.")
            container.mux(stream.encode())
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def write_gif(video: Path, out: Path, *, width: int = 560, fps: float = 12.5, seconds: float = 3.0) -> None:
    """Write the first `seconds` of a video as a GIF that repeats, with a palette of its own; whole or not at all."""
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.stem}.part.gif")
    try:
        with av.open(str(video)) as source, av.open(str(part), "w", options={"loop": "0"}) as container:
            shown = source.streams.video[0]
            graph, stream = _palette_graph(shown, width, fps), None
            for frame in source.decode(shown):
                if frame.time is not None and frame.time >= seconds:
                    break
                graph.push(frame)
            graph.push(None)
            while (picture := _pulled(graph)) is not None:
                if stream is None:
                    stream = container.add_stream("gif", rate=Fraction(fps).limit_denominator(100))
                    stream.width, stream.height, stream.pix_fmt = picture.width, picture.height, "pal8"
                container.mux(stream.encode(picture))
            if stream is None:
                raise BadInput(f"{video} holds no picture.", "Make it again with `video2reward play`.")
            container.mux(stream.encode())
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def _palette_graph(stream: av.VideoStream, width: int, fps: float) -> av.filter.Graph:
    """Return fewer, smaller pictures in the 256 colours that suit them all."""
    graph = av.filter.Graph()
    graph.link_nodes(
        graph.add_buffer(template=stream), graph.add("fps", f"{fps:g}"), graph.add("scale", f"{width}:-2:flags=area"),
        split := graph.add("split"),
    )  # fmt: skip
    palette = graph.add("palettegen", "stats_mode=diff")
    use = graph.add("paletteuse", "dither=bayer:bayer_scale=5:diff_mode=rectangle")
    split.link_to(use, 0, 0)
    split.link_to(palette, 1, 0)
    palette.link_to(use, 0, 1)
    use.link_to(graph.add("buffersink"))
    graph.configure()
    return graph


def _pulled(graph: av.filter.Graph) -> av.VideoFrame | None:
    try:
        return graph.pull()
    except (av.error.BlockingIOError, av.error.EOFError):
        return None
