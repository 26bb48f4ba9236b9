"""Cameras and thermal cameras on a real V4L2 device, in a virtual machine.

To run it (about a minute):

    apt-get install qemu-system-x86 cpio kmod v4l-utils busybox-static
    apt-get download linux-image-6.1.0-NN-amd64 && dpkg-deb -x linux-image-*.deb KERNEL
    BINDSTREAM_GUEST_KERNEL=KERNEL pytest tests/devices/test_v4l2.py
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from tests.devices.guest import boot
from tests.system import require

KERNEL = os.environ.get("BINDSTREAM_GUEST_KERNEL", "")
REPOSITORY = Path(__file__).parents[2]
PROGRAMS = {
    "qemu-system-x86": "qemu-system-x86_64",
    "cpio": "cpio",
    "kmod": "/sbin/depmod",
    "v4l-utils": "v4l2-ctl",
    "busybox-static": "busybox",
}


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_sources_hold_on_a_real_device(tmp_path: Path) -> None:
    if not KERNEL:
        pytest.skip("needs BINDSTREAM_GUEST_KERNEL, the folder of an unpacked linux-image package")
    for package, program in PROGRAMS.items():
        require(package, shutil.which(program) is not None)
    pytest_there = (
        f"{shlex.quote(sys.executable)} -m pytest --color=no -p no:cacheprovider --timeout 100"
    )
    command = (
        "export PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME=/tmp OMP_NUM_THREADS=1; "
        f"cd {shlex.quote(str(REPOSITORY))} && {pytest_there} tests/devices/guest_v4l2.py"
    )
    status, printed = boot(Path(KERNEL), tmp_path, command, timeout_s=360)
    assert status == 0, printed[-6000:]
