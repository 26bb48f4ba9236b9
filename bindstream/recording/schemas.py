"""The schemas of a recording's messages, so that other programs read them without ours."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, NamedTuple

_COVARIANCE = "float64[9]"
_RULE = "=" * 80
IMU = "\n".join(
    (
        "std_msgs/Header header",
        "geometry_msgs/Quaternion orientation",
        f"{_COVARIANCE} orientation_covariance",
        "geometry_msgs/Vector3 angular_velocity",
        f"{_COVARIANCE} angular_velocity_covariance",
        "geometry_msgs/Vector3 linear_acceleration",
        f"{_COVARIANCE} linear_acceleration_covariance",
        _RULE,
        "MSG: std_msgs/Header",
        "builtin_interfaces/Time stamp",
        "string frame_id",
        _RULE,
        "MSG: builtin_interfaces/Time",
        "int32 sec",
        "uint32 nanosec",
        _RULE,
        "MSG: geometry_msgs/Quaternion",
        *(f"float64 {axis}" for axis in "xyzw"),
        _RULE,
        "MSG: geometry_msgs/Vector3",
        *(f"float64 {axis}" for axis in "xyz"),
    )
)
"""ROS 2's sensor_msgs/msg/Imu with what it is made of."""

_TEXT, _WHOLE, _NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
_TIMES = {"start_ns": _WHOLE, "end_ns": _WHOLE}
_WHO = {"stream": _TEXT, "modality": _TEXT}
_CLOCK = {"uncertainty_ns": _WHOLE, "clock": _TEXT, "offset_ns": _WHOLE}
_JSON: dict[str, dict[str, Any]] = {
    "bindstream.Sample": {
        **_TIMES,
        **_CLOCK,
        "receive_ns": _WHOLE,
        "gap": _TEXT,
        "messages": _WHOLE,
        "codec": _TEXT,
        "shape": {"type": "array", "items": _WHOLE},
        "lost": _WHOLE,
    },
    "bindstream.Embedding": {
        **_WHO,
        **_TIMES,
        **_CLOCK,
        "seq": _WHOLE,
        "model": _TEXT,
        "coverage": _NUMBER,
        "vector": {"type": "string", "contentEncoding": "base64"},
    },
    "bindstream.Alert": {
        **_WHO,
        **_TIMES,
        "id": _TEXT,
        "query": _TEXT,
        "text": _TEXT,
        "state": _TEXT,
        "peak_ns": _WHOLE,
        "peak_z": _NUMBER,
    },
    "bindstream.Accounts": {
        "captured": _WHOLE,
        "embedded": _WHOLE,
        "reused": _WHOLE,
        "pending": _WHOLE,
        "dropped": {"type": "object"},
        "unheard_s": _NUMBER,
    },
}


class Written(NamedTuple):
    """A schema as a file holds it, and how messages of it are written."""

    name: str
    encoding: str
    data: bytes
    messages: str


@cache
def schema(name: str) -> Written:
    """The schema of this name: one of ours, `sensor_msgs/msg/Imu` or `foxglove.*`."""
    if name in _JSON:
        said = {"title": name, "type": "object", "properties": _JSON[name]}
        return Written(name, "jsonschema", json.dumps(said).encode(), "json")
    if name == "sensor_msgs/msg/Imu":
        return Written(name, "ros2msg", IMU.encode(), "cdr")
    from mcap_protobuf.schema import build_file_descriptor_set

    data = build_file_descriptor_set(message_class(name)).SerializeToString()
    return Written(name, "protobuf", data, "protobuf")


@cache
def message_class(name: str) -> Any:
    """The class of a Foxglove message such as `foxglove.RawImage`."""
    from importlib import import_module

    own = name.removeprefix("foxglove.")
    return getattr(import_module(f"foxglove_schemas_protobuf.{own}_pb2"), own)
