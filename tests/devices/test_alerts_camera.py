"""Pictures served by a real web camera become the alert that names them, and no other."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bindstream.calibration import WARM_UP
from bindstream.scene import Renderer, Script
from tests.devices.mjpeg_server import MjpegServer
from tests.devices.running import Run, assert_nothing_was_lost, running

PICTURES = Path(__file__).parents[3] / "shared" / "data" / "image"
# All of them were held out of the shipped model's training.
MOTORCYCLES = [f"Motorbikes_image_{n:04d}.jpg" for n in (217, 19, 18, 293)]
OTHERS = [
    "crab_image_0009.jpg",
    "panda_image_0006.jpg",
    "starfish_image_0003.jpg",
    "elephant_image_0007.jpg",
]
QUERIES: dict[str, tuple[str, ...]] = {
    "motorcycle": ("motorbikes", "a motorcycle"),
    "sunflower": ("a sunflower",),
    "piano": ("a grand piano",),
    "butterfly": ("a butterfly",),
    "dog": ("a dog",),
    "fire": ("fire", "flames"),
    "dark": ("a dark room",),
}
STREAM = "door"
FPS = 10
STOPPED_S = 5.0

Picture = NDArray[np.uint8]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not PICTURES.is_dir(), reason=f"needs the pictures in {PICTURES}"),
]


@dataclass(frozen=True)
class Story:
    """An empty room, other things, motorcycles; the camera gone and back; motorcycles again.

    `shown` holds from when to when motorcycles were, UTC ns.
    """

    run: Run
    said: dict[str, Any]
    shown: tuple[tuple[int, int], ...]
    stopped_ns: int
    back_ns: int
    readers: tuple[dict[str, Any], dict[str, Any]]


@pytest.fixture(scope="module")
def story() -> Story:
    room = Renderer(Script(seed=3, length_s=60))
    empty = [room.picture(t) for t in range(WARM_UP + 2)]
    others, motorcycles = read(OTHERS), read(MOTORCYCLES)
    with MjpegServer(fps=FPS, stamp=lambda s: s) as server:
        server.shown = empty[0]
        config = {
            "streams": [{"name": STREAM, "source": {"kind": "camera", "url": server.url}}],
            "queries": [{"id": name, "text": text} for name, text in QUERIES.items()],
        }
        with running(config) as run:
            run.more(STREAM, 1, within_s=180)
            show(run, server, empty, 1)
            show(run, server, others, 1)
            first = show(run, server, motorcycles, 2)
            show(run, server, empty[:4], 1)
            before = run.reader(STREAM)
            server.stop()
            stopped_ns = time.time_ns()
            time.sleep(STOPPED_S)
            server.start()
            back_ns = time.time_ns()
            run.more(STREAM, 3, within_s=120)
            second = show(run, server, motorcycles[:2], 3)
            show(run, server, empty[:3], 1)
            after = run.reader(STREAM)
            said = run.drain()
    return Story(run, said, (first, second), stopped_ns, back_ns, (before, after))


def read(names: Sequence[str]) -> list[Picture]:
    """The middle squares of pictures, as large as the rendered room is high."""
    found = []
    for name in names:
        picture = np.asarray(Image.open(PICTURES / name).convert("RGB"))
        side = min(picture.shape[:2])
        top, left = ((n - side) // 2 for n in picture.shape[:2])
        square = picture[top : top + side, left : left + side]
        found.append(np.asarray(cv2.resize(square, (240, 240)), np.uint8))
    return found


def show(
    run: Run, server: MjpegServer, pictures: Sequence[Picture], windows: int
) -> tuple[int, int]:
    """Show each picture for so many windows; returns from when to when."""
    began_ns = time.time_ns()
    for picture in pictures:
        server.shown = picture
        run.more(STREAM, windows, within_s=120)
    return began_ns, time.time_ns()


def test_what_is_shown_is_alerted_when_it_is_shown(story: Story) -> None:
    starts = [a for a in story.run.alerts if a.state == "started"]
    for began_ns, ended_ns in story.shown:
        during = [a for a in starts if began_ns < a.end_ns and a.start_ns < ended_ns]
        assert during
        assert {(a.query, a.stream, a.modality) for a in during} == {
            ("motorcycle", STREAM, "vision")
        }
        assert all(a.peak_z >= a.on for a in during)


def test_no_other_query_is_alerted(story: Story) -> None:
    assert set(story.run.started()) == {"motorcycle"}


def test_a_camera_that_went_away_is_opened_again(story: Story) -> None:
    before, after = story.readers
    assert after["losses"] > before["losses"]
    assert after["opens"] > before["opens"]
    assert after["state"] == "live"
    assert any("well again" in said for said in story.run.news)


def test_while_it_is_gone_nothing_is_embedded_and_the_hole_is_accounted_for(story: Story) -> None:
    gone_s = (story.back_ns - story.stopped_ns) / 1e9
    for embedding in story.run.embeddings:
        hole_ns = min(embedding.end_ns, story.back_ns) - max(embedding.start_ns, story.stopped_ns)
        assert hole_ns < 1.5e9  # a frame stands for the second after it
        if hole_ns > 1.2e9:
            assert embedding.coverage < 1
    accounts = story.said["streams"][STREAM]["intake"]["accounts"]
    assert accounts["dropped"]["void"] + accounts["unheard_s"] >= gone_s - 3
    assert sum(accounts["dropped"].values()) == accounts["dropped"]["void"]


def test_nothing_is_lost_on_the_way(story: Story) -> None:
    assert_nothing_was_lost(story.said)
