"""Recordings of the simulated house in ordinary files, so that benches read what users read."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import soundfile
from PIL import Image

from bindstream.scene import Renderer, random_script

FRAME_HZ = 10


def write(folder: Path, length_s: int, seed: int) -> dict[str, dict[str, object]]:
    """Write one file a modality; returns the `source:` section that plays each, for ever."""
    script = random_script(seed, length_s)
    house = Renderer(script, seed)
    soundfile.write(folder / "sound.wav", house.sound(0, 16000 * length_s), 16000)
    with av.open(str(folder / "picture.mkv"), "w") as video:
        stream = video.add_stream("mpeg4", rate=FRAME_HZ, options={"qscale": "3"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for i in range(length_s * FRAME_HZ):
            frame = av.VideoFrame.from_ndarray(house.picture(i / FRAME_HZ), "rgb24")
            video.mux(stream.encode(frame))
        video.mux(stream.encode())
    heat = folder / "heat"
    heat.mkdir()
    for i in range(length_s * FRAME_HZ):
        counts = np.round((house.heat(i / FRAME_HZ) + 273.15) * 100).astype(np.uint16)
        Image.fromarray(counts).save(heat / f"{i:05d}.png")
    times = np.arange(0, length_s, 0.01)
    np.savez(
        folder / "motion.npz",
        time_ms=np.round(times * 1000).astype(np.int64),
        acc_gyro=house.motion(times),
    )
    common = {"loop": True}
    return {
        "vision": {"kind": "camera", "file": str(folder / "picture.mkv"), **common},
        "audio": {"kind": "microphone", "file": str(folder / "sound.wav"), **common},
        "thermal": {
            "kind": "thermal",
            "folder": str(heat),
            "fps": FRAME_HZ,
            "celsius": "lepton",
            **common,
        },
        "imu": {"kind": "imu", "file": str(folder / "motion.npz"), **common},
    }
