"""What a clip file really holds.

Belongs here: decoding a clip to judge it. Does not belong here: writing one.
"""

from __future__ import annotations

from pathlib import Path

from animatize_assets.animatic.models import ClipFacts
from animatize_assets.animatic.recipe import from_text
from animatize_assets.errors import RenderingFailed


def inspect_clip(mp4: Path, *, every_frame: bool = True) -> ClipFacts:
    """Decode ``mp4`` and return what is true of it.

    Without ``every_frame`` all frames are read and counted, but only key frames are decoded: enough
    for a file that was just written, and four times as fast.

    Raises:
        RenderingFailed: the file is missing, is no clip of ours, or does not decode to its end.
    """
    import av  # here: a second of start-up that only decoding needs

    try:
        with av.open(str(mp4)) as container:
            if not container.streams.video:
                raise RenderingFailed(f"{mp4.name} holds no video.")
            stream = container.streams.video[0]
            stream.codec_context.thread_type = "AUTO"
            stream.codec_context.options = {"err_detect": "explode"}
            declared = stream.frames
            read = decoded = 0
            for packet in container.demux(stream):
                read += bool(packet.size)
                # Packets between key frames would make the decoder's threads wait for each other.
                wanted = every_frame or packet.is_keyframe or not packet.size
                for frame in packet.decode() if wanted else ():
                    if frame.is_corrupt:
                        raise RenderingFailed(f"Frame {decoded} of {mp4.name} is damaged.")
                    decoded += 1
            whole = read == declared and (decoded == declared or (decoded and not every_frame))
            rate, codec = stream.average_rate, stream.codec_context
            if not whole or not rate:
                raise RenderingFailed(
                    f"{mp4.name} says it has {declared} frames; {read} are there, {decoded} decode."
                )
            return ClipFacts(
                width=codec.width,
                height=codec.height,
                fps=round(rate),
                frame_count=read,
                duration_s=read / float(rate),
                codec=codec.name,
                pixel_format=str(codec.pix_fmt),
                byte_count=mp4.stat().st_size,
                recipe=from_text(container.metadata.get("comment")),
            )
    except (av.FFmpegError, OSError) as error:
        raise RenderingFailed(f"{mp4.name} cannot be decoded: {error}") from error
