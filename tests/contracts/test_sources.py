"""What every registered kind of source keeps to, the next one included."""

from __future__ import annotations

import dataclasses
import inspect
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bindstream.clocks.host import Clock
from bindstream.config import StreamConfig
from bindstream.errors import BindstreamError, ConfigError
from bindstream.modalities import SENSORS
from bindstream.sources import Source, SourceContext
from bindstream.sources.options import SourceOptions
from bindstream.sources.registry import KINDS, open_source

CLOSED = "127.0.0.1:9"  # the discard port, where nobody listens
ORIGINS: list[dict[str, Any]] = [
    {},
    {"device": "no-such-device"},
    {"device": "/dev/no-such-device"},
    {"port": "/dev/no-such-device"},
    {"port": f"socket://{CLOSED}"},
    {"serial": "no-such-serial"},
    {"url": f"rtsp://{CLOSED}/stream"},
    {"url": f"http://{CLOSED}/stream"},
    {"url": f"tcp://{CLOSED}"},
    {"file": "/nowhere/recording"},
    {"folder": "/nowhere"},
    {"path": "/nowhere"},
]
"""Where a source may be told to find its device; none of these is there."""


def context(kind: str) -> SourceContext:
    return SourceContext("attic", KINDS[kind].modality or "audio", Clock.read(), 0)


def forms() -> Iterator[Any]:
    """Every kind with every origin that it takes."""
    for kind, registered in KINDS.items():
        for origin in ORIGINS:
            try:
                options = registered.options.model_validate({"kind": kind, **origin})
            except ValidationError:
                continue
            yield pytest.param(kind, options, id="-".join([kind, *origin, *origin.values()]))


every_kind = pytest.mark.parametrize("kind", KINDS)
FORMS = list(forms())
ABSENT = [form for form in FORMS if form.values[1].model_fields_set - {"kind", "lateness_s"}]
every_form = pytest.mark.parametrize(("kind", "options"), FORMS)


@every_kind
def test_some_origin_of_every_kind_is_known_here(kind: str) -> None:
    assert any(kind in form.values for form in FORMS)


@every_kind
def test_options_say_their_kind_and_refuse_unknown_keys(kind: str) -> None:
    options = KINDS[kind].options
    assert issubclass(options, SourceOptions)
    assert options.model_config["extra"] == "forbid"
    assert options.model_config["frozen"]
    with pytest.raises(ValidationError, match="colour"):
        options.model_validate({"kind": kind, "colour": "red"})
    with pytest.raises(ValidationError, match="kind"):
        options.model_validate({"kind": "another"})


@every_kind
def test_every_option_is_described(kind: str) -> None:
    schema = KINDS[kind].options.model_json_schema()
    fields = {
        f"{part.get('title')}.{name}": field
        for part in (schema, *schema.get("$defs", {}).values())
        for name, field in part.get("properties", {}).items()
        if not (part is schema and name == "kind")
    }
    assert [name for name, field in fields.items() if not field.get("description")] == []
    assert inspect.getdoc(KINDS[kind].options)


@every_kind
def test_the_kind_yields_what_a_sensor_yields(kind: str) -> None:
    assert KINDS[kind].modality in (*SENSORS, None)


@every_form
def test_options_survive_the_way_to_a_streams_process(kind: str, options: SourceOptions) -> None:
    written = {"name": "attic", "source": options.model_dump(mode="json", exclude_unset=True)}
    modality = {} if KINDS[kind].modality else {"modality": "audio"}
    config = StreamConfig.model_validate({**written, **modality})
    assert config.source == options
    assert StreamConfig.model_validate_json(config.model_dump_json()) == config


@every_form
def test_a_driver_may_be_closed_before_it_was_opened_and_twice(
    kind: str, options: SourceOptions
) -> None:
    driver = open_source(options, context(kind))
    assert isinstance(driver.recorded, bool)
    driver.close()
    driver.close()


@pytest.mark.parametrize(("kind", "options"), ABSENT)
def test_a_device_that_is_not_there_is_an_error_people_can_act_on(
    kind: str, options: SourceOptions
) -> None:
    driver = open_source(options, context(kind))
    begun = time.monotonic()
    with pytest.raises(BindstreamError, match="attic") as caught:
        read_once(driver)
    assert time.monotonic() - begun < 6
    assert caught.value.fix
    driver.close()
    driver.close()


def read_once(driver: Source) -> None:
    driver.open()
    driver.read()


def test_options_of_no_registered_kind_are_refused_by_name() -> None:
    class Smell(SourceOptions):
        """Of no sensor that there is."""

    with pytest.raises(ConfigError, match=r"'attic'.*Smell.*registry"):
        open_source(Smell(), dataclasses.replace(context("scene"), stream="attic"))


LOADED = """
import importlib, json, sys
kinds = importlib.import_module("bindstream.sources.registry").KINDS
heavy = ["torch", "cv2", "av", "sounddevice", "soundfile", "soxr", "serial", "ray"]
print(json.dumps({"kinds": sorted(kinds), "loaded": [m for m in heavy if m in sys.modules]}))
"""


def test_registering_sources_imports_no_device_library(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, timeout=60, check=True
    )
    said = json.loads(ran.stdout)
    assert said == {"kinds": sorted(KINDS), "loaded": []}
