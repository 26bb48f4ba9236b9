"""What a recording says of its run: enough to run it again, and nobody's password."""

from __future__ import annotations

from pathlib import Path

import pytest

from bindstream.clocks.host import Clock
from bindstream.config import Config, load_config
from bindstream.recording.facts import facts_of, public_yaml

SECRETS = ("hunter2", "s3cret", "t0ken", "gstpw")


def config() -> Config:
    pipeline = "rtspsrc location=rtsp://joe:hunter2@10.0.0.1/a user-id=joe user-pw=gstpw ! appsink"
    return Config.model_validate(
        {
            "streams": [
                {
                    "name": "door",
                    "source": {"kind": "camera", "url": "rtsp://joe:hunter2@192.0.2.7/live"},
                },
                {
                    "name": "yard",
                    "source": {"kind": "camera", "url": "http://192.0.2.8/v.mjpg?token=t0ken"},
                },
                {"name": "gate", "source": {"kind": "camera", "gstreamer": pipeline}},
                {
                    "name": "wrist",
                    "source": {"kind": "imu", "port": "socket://me:s3cret@192.0.2.9:5000"},
                },
            ],
            "queries": [{"text": ["glass breaking", "ein Löwe brüllt"], "budget": "1/week"}],
        }
    )


def test_no_secret_is_recorded_and_the_cameras_can_be_told_apart() -> None:
    said = public_yaml(config())
    assert [secret for secret in SECRETS if secret in said] == []
    for left in ("192.0.2.7/live", "192.0.2.8/v.mjpg", "192.0.2.9:5000", "10.0.0.1/a"):
        assert left in said


@pytest.mark.parametrize(
    "pipeline",
    [
        'rtspsrc location="rtsp://joe:hu,nt;er2@10.0.0.1/a" ! appsink',
        'rtspsrc location=rtsp://10.0.0.1/a user-id=joe user-pw="hunter2 er2" ! appsink',
        "rtspsrc location=rtsp://10.0.0.1/a proxy-pw=hunter2!er2 ! appsink",
        "souphttpsrc location=http://10.0.0.1/a extra-headers=x,Authorization=Basic er2 ! appsink",
        "srtsrc uri=srt://10.0.0.1/a?passphrase=er2 ! appsink",
    ],
)
def test_no_secret_of_a_pipeline_is_recorded(pipeline: str) -> None:
    source = {"kind": "camera", "gstreamer": pipeline}
    said = public_yaml(Config.model_validate({"streams": [{"name": "gate", "source": source}]}))
    assert "er2" not in said
    assert "10.0.0.1/a" in said
    assert "appsink" in said


def test_the_configuration_loads_again(tmp_path: Path) -> None:
    (tmp_path / "again.yaml").write_text(public_yaml(config()))
    again = load_config(tmp_path / "again.yaml")
    assert again.queries == config().queries
    assert [stream.name for stream in again.streams] == ["door", "yard", "gate", "wrist"]
    assert public_yaml(again) == public_yaml(config())


def test_facts_name_the_run_its_clock_and_its_model() -> None:
    clock = Clock.read()
    facts = facts_of(config(), clock, 1_795_000_000 * 10**9, fingerprint="abc")
    assert facts["clock"] == clock.id
    assert int(facts["clock_offset_ns"]) == clock.offset_ns
    assert (facts["model"], facts["fingerprint"]) == ("starter", "abc")
    assert facts["begun_ns"] == "1795000000000000000"
    assert facts_of(config(), clock, 0)["model"] == ""
