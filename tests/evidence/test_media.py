"""Each modality's files open again, with what the sensor gave."""

from __future__ import annotations

import io
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bindstream.evidence.media import joined, media, spectrogram
from bindstream.evidence.ring import Kept, packed
from bindstream.file_inputs import open_recording
from bindstream.modalities import SENSORS
from bindstream.records import ModalityName
from tests.evidence.readings import BEGIN_NS, S, sample


def kept(modality: ModalityName, seconds: float = 3, step_s: float = 0.25) -> list[Kept]:
    return [packed(modality, sample(modality, i * step_s)) for i in range(round(seconds / step_s))]


def test_a_sound_is_what_was_heard_and_its_picture_shows_the_note() -> None:
    files = media("audio", kept("audio"), BEGIN_NS)
    with wave.open(io.BytesIO(files["sound.wav"])) as heard:
        assert (heard.getframerate(), heard.getnchannels()) == (16000, 1)
        samples = np.frombuffer(heard.readframes(heard.getnframes()), "<i2") / 32767
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(3 * 16000) / 16000)
    np.testing.assert_allclose(samples, expected, atol=1e-4)
    picture = np.asarray(Image.open(io.BytesIO(files["spectrogram.jpg"]))).sum(axis=2)
    loudest = picture.mean(axis=1).argmax()  # rows from 8 kHz down to 0
    assert 8000 * (1 - loudest / len(picture)) == pytest.approx(440, abs=60)


def test_a_hole_in_a_sound_is_silence_of_its_length_and_nothing_comes_twice() -> None:
    pieces = kept("audio")
    sound = joined([*pieces[:4], *pieces[8:]])
    assert len(sound) == 3 * 16000
    assert not sound[16000:32000].any()
    assert np.array_equal(sound[32000:], joined(pieces)[32000:])
    late = Kept(pieces[1].start_ns - S // 8, pieces[1].end_ns - S // 8, pieces[1].data)
    assert len(joined([pieces[0], late])) == 16000 * 3 // 8


def test_a_sound_of_nothing_has_a_picture() -> None:
    assert spectrogram(np.zeros(100, np.float32)).size[0] >= 480


def test_the_picture_is_that_of_the_peak_and_the_film_is_as_long_as_it_took() -> None:
    av = pytest.importorskip("av")
    files = media("vision", kept("vision", 4), BEGIN_NS + 2 * S)
    picture = np.asarray(Image.open(io.BytesIO(files["picture.jpg"])))
    assert picture.shape == (90, 121, 3)
    assert picture[45, 20].mean() == pytest.approx(20, abs=4)
    with av.open(io.BytesIO(files["clip.mp4"])) as film:
        frames = list(film.decode(video=0))
    assert len(frames) == 16
    assert frames[-1].time == pytest.approx(3.75, abs=0.01)
    assert frames[0].to_ndarray(format="rgb24").shape == (90, 120, 3)
    assert frames[-1].to_ndarray(format="rgb24")[45, 20].mean() == pytest.approx(38, abs=8)


def test_a_camera_that_changed_its_size_makes_a_film_all_the_same() -> None:
    av = pytest.importorskip("av")
    pieces = kept("vision", 1)
    small = io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(small, "JPEG")
    pieces.append(Kept(BEGIN_NS + 2 * S, BEGIN_NS + 2 * S, small.getvalue()))
    with av.open(io.BytesIO(media("vision", pieces, BEGIN_NS)["clip.mp4"])) as film:
        assert len(list(film.decode(video=0))) == 5


def test_without_pyav_the_pictures_lie_there_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    files = media("vision", kept("vision", 1), BEGIN_NS)
    assert sorted(files) == [*(f"frames/{i:03d}.jpg" for i in range(4)), "picture.jpg"]


@pytest.mark.parametrize(
    ("modality", "name", "place", "value"),
    [("thermal", "celsius.npy", (5, 5), 62.25), ("depth", "metres.npy", (5, 5), 2.5)],
)
def test_temperatures_and_distances_are_numbers_and_a_picture_with_a_scale(
    modality: ModalityName, name: str, place: tuple[int, int], value: float
) -> None:
    files = media(modality, kept(modality), BEGIN_NS + 2 * S)
    numbers = np.load(io.BytesIO(files[name]), allow_pickle=False)
    assert (numbers.shape, numbers.dtype) == ((24, 32), np.float16)
    assert float(numbers[place]) == pytest.approx(value, abs=0.03)
    picture = Image.open(io.BytesIO(files["picture.png"]))
    assert picture.size == (32 * 20 + 96, 480)
    shown = np.asarray(picture)
    if modality == "thermal":  # what is hot is bright
        assert shown[110, 110].sum() > 3 * shown[300, 300].sum()
    else:  # no reading is a grey of its own
        assert shown[5, 5].tolist() == [60, 60, 60]
        assert shown[300, 300].tolist() != [60, 60, 60]


def test_a_frame_without_any_reading_is_shown_as_one() -> None:
    nothing = [Kept(0, 0, np.zeros((24, 32), np.float16))]
    assert np.asarray(Image.open(io.BytesIO(media("depth", nothing, 0)["picture.png"])))[
        5, 5
    ].tolist() == [60, 60, 60]


def test_motion_is_a_table_that_can_be_played_again(tmp_path: Path) -> None:
    pieces = kept("imu")
    files = media("imu", pieces, BEGIN_NS)
    (tmp_path / "motion.csv").write_bytes(files["motion.csv"])
    source = open_recording("imu", tmp_path / "motion.csv")
    played = list(source.read())
    source.close()
    rows = np.concatenate([one.data for one in played])
    times = np.concatenate([one.times_ns for one in played])
    held = np.concatenate([one.data for one in pieces])
    np.testing.assert_allclose(rows, held[: len(rows)], rtol=1e-5)
    assert len(rows) >= 10
    assert np.abs(np.diff(times) - 10_000_000).max() < 1000
    assert Image.open(io.BytesIO(files["motion.png"])).size == (720, 480)


@pytest.mark.parametrize("modality", SENSORS)
def test_no_readings_give_no_files(modality: ModalityName) -> None:
    assert media(modality, [], 0) == {}
