"""bindstream embed: files to vectors, or to how well they answer words."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bindstream.cli.app import FAILED, PARTIAL, app, errors, out
from bindstream.cli.model_options import DeviceOption, PrecisionOption, ThreadsOption, warn_of
from bindstream.cli.tables import counted
from bindstream.errors import ConfigError, DataError

if TYPE_CHECKING:
    from bindstream.embed_files import FileVectors
    from bindstream.models.encoder import Model
    from bindstream.records import ModalityName

_HELP = """Embed files, and say how well they answer words.

With --text: for each file the cosine to each text (the mean over its windows) and, of several, the
share of each among the texts given. With --out: unit vectors as NPZ: `vectors` (windows or files,
dim), `file_index` (which of `files` each is of), `files`, `model`.

A file is cut into windows that together hold all of it, a vector each. With --average it has one
vector, as the published ImageBind embeds files: the mean over 3 clips of a sound, over 5 clips in
3 crops of a video; for thermal, depth and IMU files the mean over their windows.

Motion logs (imu) are CSV, headed time_s (or _ms, _us, _ns), ax, ay, az, gx, gy, gz, in m/s² and
rad/s, or NPZ with time_ms (N,) int and acc_gyro (N, 6).

A FILE of - reads file names from standard input, @LIST from the file LIST, one a line. A file that
cannot be read is reported, the rest goes on, and the exit code is 3 (1 if none could be read).

Examples:

  bindstream embed bark.wav rain.flac --modality audio --text "a dog barks" --text rain

  bindstream embed --json --modality vision --text fire photos/*.jpg

  find sounds -name '*.wav' | bindstream embed - --modality audio --out sounds.npz
"""


@app.command(help=_HELP)
def embed(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Files, @LIST or -.")],
    modality: Annotated[
        str, typer.Option("--modality", "-m", help="vision, audio, thermal, depth or imu.")
    ],
    texts: Annotated[
        list[str] | None, typer.Option("--text", "-t", help="Words; may be repeated.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--out", "-o", help="Write vectors, NPZ.")] = None,
    average: Annotated[
        bool, typer.Option("--average", help="One vector a file, not one a window.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    model: Annotated[str, typer.Option(help="A model's name or directory.")] = "starter",
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    threads: ThreadsOption = None,
) -> None:
    from bindstream.embed_files import FileError, embed_files
    from bindstream.models import load_model

    name = modality_named(modality)
    if to is not None:
        _check_writable(to)
    if not texts and to is None:
        raise ConfigError("there is nothing to do.", fix="Give --text WORDS or --out FILE.npz.")
    wanted: tuple[ModalityName, ...] = (name, "text") if texts else (name,)
    loaded = load_model(
        model, modalities=wanted, device=device, threads=threads, precision=precision
    )
    warn_of(loaded, texts or [])
    scorer = _Scorer(loaded, name, texts or [])
    scored: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    kept: list[FileVectors] = []
    for result in embed_files(loaded, name, _listed(files), average=average):
        if isinstance(result, FileError):
            failed.append({"file": str(result.file), "error": result.error})
            errors.print(f"{result.file}: {result.error}", markup=False, highlight=False)
            continue
        scored.append(scorer.score(result))
        if not as_json:
            out.print(_line(scored[-1]), markup=False, highlight=False)
        if to is not None:
            kept.append(result)
    if to is not None:
        _save(to, kept, loaded)
    if as_json:
        about = {"name": loaded.name, "fingerprint": loaded.fingerprint}
        said = {"model": about, "modality": name, "files": scored, "errors": failed}
        typer.echo(json.dumps(said, indent=2, ensure_ascii=False))
    if failed:
        raise typer.Exit(PARTIAL if scored else FAILED)


def modality_named(given: str) -> ModalityName:
    from bindstream.modalities import SENSORS

    for name in SENSORS:
        if name == given:
            return name
    raise ConfigError(
        f"{given!r} is no modality of files.", fix=f"Choose one of {', '.join(SENSORS)}."
    )


def _listed(files: Iterable[str]) -> Iterator[Path]:
    """The files named on the command line, in list files and on standard input, as they come."""
    for name in files:
        if name == "-":
            yield from (Path(line.rstrip("\n")) for line in sys.stdin if line.strip())
        elif name.startswith("@"):
            try:
                with open(name[1:], encoding="utf-8") as lines:
                    yield from (Path(line.rstrip("\n")) for line in lines if line.strip())
            except OSError as error:
                raise ConfigError(
                    f"the list cannot be read: {error.strerror}.", where=name[1:]
                ) from None
        else:
            yield Path(name)


class _Scorer:
    """How well files answer the texts."""

    def __init__(self, model: Model, modality: ModalityName, texts: list[str]) -> None:
        self._model, self._modality, self._texts = model, modality, texts
        self._vectors = model.encode_text(texts) if texts else None

    def score(self, result: FileVectors) -> dict[str, Any]:
        said: dict[str, Any] = {"file": str(result.file)}
        if result.views:
            said["views"] = result.views
        else:
            said["windows"] = len(result.vectors)
        if self._vectors is None:
            return said
        cosines = (result.vectors @ self._vectors.T).mean(axis=0)
        shares = self._model.probability(self._modality, cosines)
        said["cosine"] = dict(zip(self._texts, cosines.tolist(), strict=True))
        said["probability"] = dict(zip(self._texts, shares.tolist(), strict=True))
        return said


def _line(scored: dict[str, Any]) -> str:
    if "views" in scored:
        made_of = counted(scored["views"], "view") + " averaged"
    else:
        made_of = counted(scored["windows"], "window")
    cosines: dict[str, float] = scored.get("cosine", {})
    shares: dict[str, str] = {}
    if len(cosines) > 1:  # of one text alone a share says nothing
        shares = {text: f"{share:.0%} " for text, share in scored["probability"].items()}
    best_first = sorted(cosines.items(), key=lambda item: -item[1])
    answers = [f"{text} {shares.get(text, '')}(cosine {cos:.3f})" for text, cos in best_first]
    return f"{scored['file']}: {made_of}" + ("; " + ", ".join(answers) if answers else "")


def _check_writable(to: Path) -> None:
    """Refuse what cannot be written before hours are spent on what is to be written there."""
    folder = to.absolute().parent
    if not folder.is_dir():
        raise ConfigError(f"there is no folder {folder}.", fix="Make it first.")
    if to.is_dir():
        raise ConfigError("it is a folder.", where=str(to), fix=f"Name a file: {to}/vectors.npz")
    if not os.access(to if to.exists() else folder, os.W_OK):
        raise ConfigError("it may not be written.", where=str(to), fix="Choose another place.")


def _save(to: Path, kept: list[FileVectors], model: Model) -> None:
    import numpy as np

    vectors = [result.vectors for result in kept]
    held: dict[str, Any] = {
        "vectors": np.concatenate(vectors) if vectors else np.zeros((0, model.dim), np.float32),
        "file_index": np.repeat(np.arange(len(kept)), [len(each) for each in vectors]),
        "files": np.array([str(result.file) for result in kept], dtype=np.str_),
        "model": np.array(model.fingerprint),
    }
    try:
        with open(to, "wb") as file:
            np.savez(file, **held)
    except OSError as error:
        what = f"it cannot be written: {error.strerror or error}."
        raise DataError(what, where=str(to)) from None
