"""A virtual machine with a real V4L2 device, in which tests can run; nothing outside it changes.

It boots a stock Debian kernel under QEMU (no KVM needed), sees the host's files read-only below an
overlay in memory, and loads the kernel's own test device `vivid` as /dev/video0.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay", "vivid")
VIVID = "n_devs=1 node_types=0x1 num_inputs=1 input_types=3"
"""One capture node with an HDMI input: it scales to any size, and its picture holds still."""
INIT = """#!/bin/busybox sh
B=/bin/busybox
$B mkdir -p /proc /sys /dev /host /rw /new
$B mount -t proc proc /proc; $B mount -t sysfs sys /sys; $B mount -t devtmpfs dev /dev
for m in {modules}; do
  case $m in vivid.ko) $B insmod /mod/$m {vivid};; *) $B insmod /mod/$m;; esac
done
$B mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=1048576,cache=loose host /host
$B mount -t tmpfs rw /rw; $B mkdir -p /rw/u /rw/w
$B mount -t overlay -o lowerdir=/host,upperdir=/rw/u,workdir=/rw/w o /new
for d in dev proc sys; do $B mount --move /$d /new/$d; done
$B chroot /new /bin/sh -c {command}
echo "GUEST EXIT $?"
$B poweroff -f
"""


def boot(kernel: Path, scratch: Path, command: str, timeout_s: float) -> tuple[int, str]:
    """Run a shell command in a fresh guest; its exit status and what it printed.

    Args:
        kernel: folder of an unpacked linux-image package (boot/ and lib/modules/ in it).
        scratch: a folder for the guest's initial memory disk.
    """
    image = next(kernel.glob("boot/vmlinuz-*"))
    initrd = _initrd(kernel / "lib/modules" / image.name.removeprefix("vmlinuz-"), scratch, command)
    share = "local,id=h,path=/,security_model=none,readonly=on,multidevs=remap"
    qemu = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2"]
    qemu += ["-m", "2048", "-nographic", "-no-reboot", "-nic", "none"]
    qemu += ["-kernel", str(image), "-initrd", str(initrd), "-append", "console=ttyS0 quiet"]
    qemu += ["-fsdev", share, "-device", "virtio-9p-pci,fsdev=h,mount_tag=host"]
    done = subprocess.run(
        qemu, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s
    )
    printed, _, status = done.stdout.rpartition("GUEST EXIT ")
    return (int(status.split()[0]) if printed else -1), printed or done.stdout + done.stderr


def _initrd(modules: Path, scratch: Path, command: str) -> Path:
    tree = scratch / "initrd"
    (tree / "bin").mkdir(parents=True)
    (tree / "mod").mkdir()
    busybox = shutil.which("busybox")
    assert busybox
    shutil.copy(busybox, tree / "bin/busybox")
    loaded = _in_order(modules)
    for module in loaded:
        shutil.copy(module, tree / "mod")
    names = " ".join(module.name for module in loaded)
    init = INIT.format(modules=names, vivid=VIVID, command=shlex.quote(command))
    (tree / "init").write_text(init)
    (tree / "init").chmod(0o755)
    packed = scratch / "initrd.cpio"
    with packed.open("wb") as output:
        pack = "find . | cpio -o -H newc --quiet"
        subprocess.run(pack, shell=True, cwd=tree, stdout=output, check=True)
    return packed


def _in_order(modules: Path) -> list[Path]:
    """The modules' files, each after those it needs."""
    root = modules.parents[2]
    subprocess.run(["/sbin/depmod", "-b", str(root), modules.name], check=True, capture_output=True)
    lines = (modules / "modules.dep").read_text().splitlines()
    needs = {name: rest.split() for name, _, rest in (line.partition(":") for line in lines)}
    by_name = {Path(name).stem.replace("-", "_"): name for name in needs}
    ordered: list[str] = []

    def add(name: str) -> None:
        for needed in needs[name]:
            add(needed)
        if name not in ordered:
            ordered.append(name)

    for wanted in MODULES:
        add(by_name[wanted])
    return [modules / name for name in ordered]
