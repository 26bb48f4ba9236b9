"""Credentials in an address are not shown, what names the device is."""

from __future__ import annotations

import pytest

from bindstream.sources.addresses import redacted


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://10.0.0.7/ch1", "rtsp://10.0.0.7/ch1"),
        ("rtsp://admin:s3cret@10.0.0.7:554/ch1", "rtsp://***@10.0.0.7:554/ch1"),
        ("rtsp://admin:p@ss@cam/ch1", "rtsp://***@cam/ch1"),
        ("http://token@cam/", "http://***@cam/"),
        ("http://cam/video.cgi?user=a&pwd=s3cret", "http://cam/video.cgi?***"),
    ],
)
def test_user_password_and_query_are_hidden(url: str, shown: str) -> None:
    assert redacted(url) == shown
