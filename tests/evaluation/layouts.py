"""Tiny datasets in the layouts in which the real ones are published: a few real files each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

RNG = np.random.default_rng(5)
RATE_HZ = 16000


def sound(path: Path, seconds: float = 1.0, level: float = 0.1) -> Path:
    soundfile = pytest.importorskip("soundfile")
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = RNG.normal(0, level, round(RATE_HZ * seconds)).astype(np.float32)
    soundfile.write(path, wave, RATE_HZ, subtype="PCM_16")
    return path


def picture(path: Path, pixels: NDArray[Any] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if pixels is None:
        pixels = RNG.integers(0, 255, (24, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def video(path: Path, seconds: float = 1.0, *, with_sound: bool = False) -> Path:
    av = pytest.importorskip("av")
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        track = container.add_stream("aac", rate=RATE_HZ) if with_sound else None
        for _ in range(round(seconds * 10)):
            frame = RNG.integers(0, 255, (32, 48, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode())
        if track is not None:
            wave = RNG.normal(0, 0.1, (1, round(RATE_HZ * seconds))).astype(np.float32)
            piece = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            piece.rate = RATE_HZ
            container.mux(track.encode(piece))
            container.mux(track.encode())
    return path


def lines(path: Path, *rows: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def esc50(folder: Path) -> Path:
    rows = ["filename,fold,target,category,esc10,src_file,take"]
    for fold, name, category, source in (
        (1, "1-100032-A-0.wav", "dog", 100032),
        (1, "1-100038-A-14.wav", "chirping_birds", 100038),
        (2, "2-100032-B-0.wav", "dog", 100032),
        (2, "2-100786-A-1.wav", "rooster", 100786),
    ):
        sound(folder / "audio" / name, 5.0)
        rows.append(f"{name},{fold},0,{category},False,{source},A")
    lines(folder / "meta" / "esc50.csv", *rows)
    return folder


def audioset(folder: Path) -> Path:
    lines(
        folder / "eval_segments.csv",
        "# Segments csv created Sun Mar  5 10:54:25 2017",
        "# num_ytids=4, num_segs=4, num_unique_labels=3, num_positive_labels=5",
        "# YTID, start_seconds, end_seconds, positive_labels",
        '--4gqARaEJE, 0.000, 10.000, "/m/068hy,/m/0bt9lr"',
        '-0_aBcDeF12, 30.000, 40.000, "/m/0bt9lr"',
        'longVideo00, 1.000, 2.000, "/m/09x0r,/m/068hy"',
        'takenOffWeb, 20.000, 30.000, "/m/09x0r"',
    )
    lines(
        folder / "class_labels_indices.csv",
        "index,mid,display_name",
        '0,/m/09x0r,"Speech"',
        '1,/m/068hy,"Domestic animals, pets"',
        '2,/m/0bt9lr,"Dog"',
        '3,/m/04rlf,"Music"',
    )
    sound(folder / "eval" / "Y--4gqARaEJE.wav", 10)
    sound(folder / "eval" / "-0_aBcDeF12_30000_40000.flac", 10)
    sound(folder / "eval" / "longVideo00.wav", 4)
    return folder


def vggsound(folder: Path) -> Path:
    lines(
        folder / "vggsound.csv",
        '---g-f_I2yQ,1,"people marching",test',
        '--0PQM4-hqg,30,"waterfall burbling",test',
        '--56QUhyDQM,185,"playing tennis",train',
        'goneFromWeb,20,"playing tennis",test',
    )
    sound(folder / "audio" / "---g-f_I2yQ_000001.wav", 10)
    video(folder / "video" / "--0PQM4-hqg_000030.mp4", 2, with_sound=True)
    return folder


def clotho(folder: Path) -> Path:
    lines(
        folder / "clotho_captions_evaluation.csv",
        "file_name,caption_1,caption_2,caption_3,caption_4,caption_5",
        'Santa Motor.wav,"A machine whines, then stops.",A dog,b,c,d',
        "rain on roof.wav,Rain falls,It rains,e,f,g",
    )
    sound(folder / "evaluation" / "Santa Motor.wav", 3)
    sound(folder / "evaluation" / "rain on roof.wav", 3)
    return folder


def audiocaps(folder: Path) -> Path:
    lines(
        folder / "test.csv",
        "audiocap_id,youtube_id,start_time,caption",
        "103549,7fmOlUlwoNg,20,Constant rattling noise",
        "103548,7fmOlUlwoNg,20,The rumble of an engine",
        "103541,6BJ455B1aAs,0,A rocket flies by",
        "103542,notHereNow0,0,Silence",
    )
    sound(folder / "test" / "7fmOlUlwoNg.wav", 10)
    sound(folder / "test" / "6BJ455B1aAs_0.wav", 10)
    return folder


SYNSETS = ("n01440764 tench, Tinca tinca", "n01443537 goldfish, Carassius auratus")


def imagenet(folder: Path) -> Path:
    lines(folder / "LOC_synset_mapping.txt", *SYNSETS)
    picture(folder / "val" / "n01440764" / "ILSVRC2012_val_00000293.JPEG")
    picture(folder / "val" / "n01443537" / "ILSVRC2012_val_00000236.JPEG")
    picture(folder / "val" / "n01443537" / "ILSVRC2012_val_00000262.JPEG")
    return folder


def places365(folder: Path) -> Path:
    lines(
        folder / "categories_places365.txt",
        "/a/airfield 0",
        "/a/apartment_building/outdoor 1",
        "/z/zen_garden 2",
    )
    lines(
        folder / "places365_val.txt", "Places365_val_00000001.jpg 2", "Places365_val_00000002.jpg 1"
    )
    for number in (1, 2):
        picture(folder / "val_256" / f"Places365_val_{number:08d}.jpg")
    return folder


def kinetics400(folder: Path) -> Path:
    lines(
        folder / "annotations" / "val.csv",
        "label,youtube_id,time_start,time_end,split,is_cc",
        "abseiling,-3B32lodo2M,59,69,val,0",
        '"air drumming",_dbcJuKJQNs,40,50,val,0',
        "zumba,notThere000,4,14,val,0",
    )
    video(folder / "val" / "-3B32lodo2M_000059_000069.mp4", 2.5)
    video(folder / "val" / "air drumming" / "_dbcJuKJQNs_000040_000050.mp4", 2.5)
    return folder


def msrvtt(folder: Path) -> Path:
    lines(
        folder / "MSRVTT_JSFUSION_test.csv",
        "key,vid_key,video_id,sentence",
        "ret0,msr9770,video9770,a person is connecting something to system",
        "ret1,msr9771,video9771,a little girl does gymnastics",
        "ret2,msr7020,video7020,a woman creating a fondant baby",
    )
    video(folder / "videos" / "all" / "video9770.mp4", 2, with_sound=True)
    video(folder / "videos" / "all" / "video9771.mp4", 2, with_sound=True)
    video(folder / "videos" / "all" / "video7020.mp4", 2)
    return folder


def depth_picture(path: Path) -> Path:
    millimetres = RNG.integers(800, 4000, (24, 32)).astype(np.uint16)
    return picture(path, millimetres)


def nyud(folder: Path) -> Path:
    for scene, number in (("kitchen", 3), ("cafe", 8), ("home_office", 45), ("foyer", 46)):
        depth_picture(folder / "official_splits" / "test" / scene / f"sync_depth_{number:05d}.png")
        picture(folder / "official_splits" / "test" / scene / f"rgb_{number:05d}.jpg")
    (folder / "official_splits" / "train" / "laundry_room").mkdir(parents=True)
    return folder


def sund(folder: Path) -> Path:
    scipy_io = pytest.importorskip("scipy.io")
    rooms = {
        "kv1/NYUdata/NYU0001": "bedroom",
        "xtion/sun3ddata/b_1/f1": "rest_space",
        "kv2/x/1": "idk",
    }
    for place, scene in rooms.items():
        room = folder / "SUNRGBD" / place
        depth_picture(room / "depth" / "a.png")
        lines(room / "scene.txt", scene)
        lines(room / "intrinsics.txt", "518.8 0 284.5", "0 519.4 208.7", "0 0 1")
    split = np.empty((1, len(rooms)), object)
    split[0] = [f"/n/fs/sun3d/data/SUNRGBD/{place}" for place in rooms]
    path = folder / "SUNRGBDtoolbox" / "traintestSUNRGBD" / "allsplit.mat"
    path.parent.mkdir(parents=True)
    scipy_io.savemat(path, {"alltest": split})
    return folder


def llvip(folder: Path) -> Path:
    for name, boxes in (("190001", [(10, 10, 40, 70), (60, 20, 90, 80)]), ("190002", [])):
        picture(
            folder / "infrared" / "test" / f"{name}.jpg",
            RNG.integers(0, 255, (96, 128), dtype=np.uint8),
        )
        objects = "".join(
            f"<object><name>person</name><bndbox><xmin>{left}</xmin><ymin>{top}</ymin>"
            f"<xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
            for left, top, right, bottom in boxes
        )
        size = "<size><width>128</width><height>96</height><depth>3</depth></size>"
        lines(folder / "Annotations" / f"{name}.xml", f"<annotation>{size}{objects}</annotation>")
    lines(folder / "Annotations" / "010001.xml", "<annotation></annotation>")  # of the train split
    return folder


def ego4d(folder: Path) -> Path:
    videos = [
        {
            "video_uid": uid,
            "duration_sec": 11.0,
            "scenarios": scenarios,
            "has_imu": imu,
            "split_em": split,
            "split_fho": None,
            "split_av": None,
        }
        for uid, scenarios, imu, split in (
            ("aaaa", ["Cooking"], True, "val"),
            ("bbbb", ["Walking the dog", "Talking"], True, "test"),
            ("cccc", ["Gardening"], True, "train"),
            ("dddd", ["Skiing"], False, "val"),
            ("eeee", ["Cooking"], True, "val"),
        )
    ]
    folder.mkdir(exist_ok=True)
    (folder / "ego4d.json").write_text(json.dumps({"version": "2", "videos": videos}))
    header = (
        "component_idx,component_timestamp_ms,canonical_timestamp_ms,"
        "gyro_x,gyro_y,gyro_z,accl_x,accl_y,accl_z"
    )
    for uid in ("aaaa", "bbbb"):
        rows = [header, "0,0.0,,0,0,0,0,0,9.8"]  # before the video begins
        for step in range(11 * 100):
            gyro = ",".join(f"{value:.4f}" for value in RNG.normal(0, 0.1, 3))
            accl = ",".join(f"{value:.4f}" for value in RNG.normal((0, 0, 9.8), 0.3))
            rows.append(f"0,{step * 10 + 5}.0,{step * 10}.0,{gyro},{accl}")
        lines(folder / "imu" / f"{uid}.csv", *rows)
    return folder


def by_folder(folder: Path) -> Path:
    sound(folder / "dog_bark" / "a.wav")
    sound(folder / "rain" / "deep" / "b.flac")
    lines(folder / "rain" / "LICENCE", "CC0")
    return folder


def by_list(folder: Path) -> Path:
    for name in ("a", "b", "c"):
        sound(folder / f"{name}.wav")
    return lines(
        folder / "list.csv",
        "file,label,source",
        "a.wav,dog bark,one",
        "b.wav,rain,one",
        "c.wav,rain,two",
    )


LAYOUTS: dict[str, Callable[[Path], Path]] = {
    "esc50": esc50,
    "audioset": audioset,
    "vggsound": vggsound,
    "clotho": clotho,
    "audiocaps": audiocaps,
    "imagenet": imagenet,
    "places365": places365,
    "kinetics400": kinetics400,
    "msrvtt": msrvtt,
    "nyud": nyud,
    "sund": sund,
    "llvip": llvip,
    "ego4d": ego4d,
    "folder": by_folder,
    "csv": by_list,
}
