"""Write a video that browsers play."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import av
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
