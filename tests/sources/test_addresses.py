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
        ("rtsp://admin:s3,c;r'e t@cam/ch1", "rtsp://***@cam/ch1"),
        ("rtsp://admin:s3#cret@cam/ch1", "rtsp://***@cam/ch1"),
        ("rtsp://admin:s3/cr?et@cam/ch1", "rtsp://***@cam/ch1"),
        ("rtsp://cam/user=admin&password=s3cret&channel=1", "rtsp://cam/user=admin&password=***"),
        ("rtsp://admin:s3cret@[fe80::1", "rtsp://***@[fe80::1"),
    ],
)
def test_user_password_and_query_are_hidden(url: str, shown: str) -> None:
    assert redacted(url) == shown
