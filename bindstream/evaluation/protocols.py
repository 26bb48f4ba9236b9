"""The table of protocols: the published zero-shot figures, and how each is measured.

Figures are imagebind_huge's (arXiv 2305.05665, tables 2 to 4).
"""

from __future__ import annotations

from bindstream.errors import ConfigError, DataError
from bindstream.evaluation.depths import read_nyud, read_sund
from bindstream.evaluation.infrared import read_llvip
from bindstream.evaluation.listed import read_csv, read_folder
from bindstream.evaluation.motions import read_ego4d
from bindstream.evaluation.pictures import read_imagenet, read_places365
from bindstream.evaluation.records import Asked, Dataset, LayoutError, Protocol
from bindstream.evaluation.sounds import (
    read_audiocaps,
    read_audioset,
    read_clotho,
    read_esc50,
    read_vggsound,
)
from bindstream.evaluation.videos import read_kinetics400, read_msrvtt

_DEPTH_SCALE = (
    "what depth ImageBind was trained on is in doubt by a factor of 8; "
    "compare --disparity-scale 0.125"
)

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "imagenet",
            "ImageNet-1k",
            "vision",
            "top-1",
            50_000,
            {"top-1": 77.7},
            "val/nXXXXXXXX/*.JPEG and LOC_synset_mapping.txt (or words.txt); or pictures flat in "
            "val/ (ILSVRC/Data/CLS-LOC/val) with LOC_val_solution.csv, val.txt or "
            "imagenet_2012_validation_synset_labels.txt",
            "image-net.org, kaggle.com/c/imagenet-object-localization-challenge",
            read_imagenet,
            classes=1000,
        ),
        Protocol(
            "places365",
            "Places365",
            "vision",
            "top-1",
            36_500,
            {"top-1": 45.4},
            "places365_val.txt, categories_places365.txt and val_256/*.jpg (or val_large/)",
            "places2.csail.mit.edu/download.html",
            read_places365,
            classes=365,
        ),
        Protocol(
            "kinetics400",
            "Kinetics-400",
            "vision",
            "top-1",
            0,
            {"top-1": 50.0},
            "val.csv or annotations/val.csv (label, youtube_id, time_start, time_end) and videos "
            "ID_START_END.mp4; or a list *val*.txt of path and class number with *label_map*.txt",
            "github.com/cvdfoundation/kinetics-dataset",
            read_kinetics400,
            classes=400,
        ),
        Protocol(
            "msrvtt",
            "MSR-VTT 1k-A",
            "vision, audio",
            "R@1",
            1000,
            {"R@1 vision": 36.1, "R@1 vision+audio": 36.8},
            "MSRVTT_JSFUSION_test.csv (video_id, sentence) and videos named VIDEO_ID.mp4",
            "the test split of the JSFusion paper (ECCV 2018), beside the MSR-VTT videos",
            read_msrvtt,
        ),
        Protocol(
            "nyud",
            "NYU Depth v2",
            "depth",
            "top-1",
            653,
            {"top-1": 54.0},
            "nyu_depth_v2_labeled.mat and splits.mat; or official_splits/test/SCENE/"
            "sync_depth_NNNNN.png (16-bit millimetres)",
            "cs.nyu.edu/~silberman/datasets/nyu_depth_v2.html",
            read_nyud,
            f"published over 653 of the split's 654 pictures; {_DEPTH_SCALE}",
            classes=10,
        ),
        Protocol(
            "sund",
            "SUN RGB-D",
            "depth",
            "top-1",
            4660,
            {"top-1": 35.1},
            "SUNRGBD/SENSOR/.../{depth/*.png,intrinsics.txt,scene.txt} and "
            "SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat",
            "rgbd.cs.princeton.edu",
            read_sund,
            f"depth as the sensor gave it, holes filled; {_DEPTH_SCALE}",
            classes=19,
        ),
        Protocol(
            "audioset",
            "AudioSet",
            "audio",
            "mAP",
            19_048,
            {"mAP": 17.6},
            "eval_segments.csv, class_labels_indices.csv and sound files named by video, such as "
            "ID.wav, ID_START_END.flac (s or ms)",
            "research.google.com/audioset/download.html",
            read_audioset,
            classes=527,
        ),
        Protocol(
            "vggsound",
            "VGGSound",
            "audio",
            "top-1",
            14_073,
            {"top-1": 27.8},
            "vggsound.csv and sound files or videos named ID_START, such as ID_000030.wav",
            "www.robots.ox.ac.uk/~vgg/data/vggsound",
            read_vggsound,
            classes=309,
        ),
        Protocol(
            "esc50",
            "ESC-50",
            "audio",
            "top-1",
            2000,
            {"top-1": 66.9},
            "meta/esc50.csv and audio/*.wav",
            "github.com/karolpiczak/ESC-50",
            read_esc50,
            classes=50,
        ),
        Protocol(
            "clotho",
            "Clotho",
            "audio",
            "R@1, R@10",
            1045,
            {"R@1": 6.0, "R@10": 28.4},
            "clotho_captions_evaluation.csv and evaluation/*.wav",
            "zenodo.org/record/4783391",
            read_clotho,
        ),
        Protocol(
            "audiocaps",
            "AudioCaps",
            "audio",
            "R@1, R@10",
            796,
            {"R@1": 9.3, "R@10": 42.3},
            "test.csv (youtube_id, start_time, caption) and sound files named ID or ID_START",
            "github.com/cdjkim/audiocaps",
            read_audiocaps,
            "which 796 of the test split's clips were still on the web was never published; "
            "fewer clips are easier to search",
        ),
        Protocol(
            "llvip",
            "LLVIP",
            "thermal",
            "top-1",
            15_809,
            {"top-1": 63.4},
            "infrared/test/*.jpg and Annotations/*.xml",
            "bupt-ai-cz.github.io/LLVIP",
            read_llvip,
            "the boxes without people were drawn at random and never published; "
            "these are drawn by --seed",
            classes=2,
        ),
        Protocol(
            "ego4d",
            "Ego4D IMU",
            "imu",
            "top-1",
            68_865,
            {"top-1": 25.0},
            "ego4d.json and imu/VIDEO_UID.csv",
            "ego4d-data.org",
            read_ego4d,
            "the split was never published; these are all 5 s windows of videos that Ego4D's "
            "benchmarks hold out, right by any of a video's scenarios",
            classes=108,
        ),
        Protocol(
            "folder",
            "your own",
            "by the files",
            "top-1",
            0,
            {},
            "a folder for each class, named as it is said, with its files",
            "",
            read_folder,
        ),
        Protocol(
            "csv",
            "your own",
            "by the files",
            "top-1 or R@1, R@10",
            0,
            {},
            "a CSV with the columns file and label (or file and text) and, where files come from "
            "one recording, source",
            "",
            read_csv,
        ),
    )
}


def protocol_of(name: str) -> Protocol:
    """The protocol of this name.

    Raises:
        ConfigError: there is none.
    """
    if name not in PROTOCOLS:
        raise ConfigError(
            f"{name!r} is no protocol.",
            fix=f"Choose one of {', '.join(PROTOCOLS)}; `bindstream eval --list` explains them.",
        )
    return PROTOCOLS[name]


def read_dataset(protocol: Protocol, asked: Asked) -> Dataset:
    """What the protocol's reader finds. Blocks while folders are listed.

    Raises:
        DataError: the folder is not laid out as published (what is missing, what it should hold and
            where it is found), or its metadata are damaged.
        MissingPackageError: a library that reads it is not installed.
    """
    try:
        return protocol.read(asked)
    except LayoutError as error:
        of = f"The dataset {protocol.title}" if protocol.found else "What is your own"
        raise DataError(
            error.what,
            where=error.where,
            fix=f"{of} is laid out as: {protocol.layout_and_place}",
        ) from error
