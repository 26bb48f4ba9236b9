from __future__ import annotations

import pytest

from bindstream.models.precision import LEAST_COSINE, Settled, choose, cpu_flags, fallbacks

PLAIN_X86 = frozenset({"sse2", "avx2"})
X86 = PLAIN_X86 | {"avx512_bf16"}
AMX = PLAIN_X86 | {"amx_bf16"}
PLAIN_ARM = frozenset({"fp", "asimd"})
ARM = PLAIN_ARM | {"bf16", "asimdhp"}
UNKNOWN: frozenset[str] = frozenset()

X86_CPUINFO = """\
processor\t: 0
model name\t: Some Processor
flags\t\t: fpu sse2 avx2 avx512_bf16
vmx flags\t: vnmi
bugs\t\t: spectre_v1

processor\t: 1
flags\t\t: fpu sse2
"""
ARM_CPUINFO = """\
processor\t: 0
BogoMIPS\t: 62.50
Features\t: fp asimd asimdhp bf16
CPU implementer\t: 0x41
"""


@pytest.mark.parametrize(
    ("device", "flags", "precision", "why"),
    [
        ("cpu", X86, "bfloat16", "avx512_bf16"),
        ("cpu", AMX, "bfloat16", "amx_bf16"),
        ("cpu", X86 | AMX, "bfloat16", "avx512_bf16, amx_bf16"),
        ("cpu", ARM, "bfloat16", "bf16"),
        ("cpu", PLAIN_X86, "float32", "no bfloat16 arithmetic (avx512_bf16, amx_bf16)"),
        ("cpu", PLAIN_ARM, "float32", "no bfloat16 arithmetic (bf16)"),
        ("cpu", UNKNOWN, "float32", "not known"),
        ("cuda", PLAIN_X86, "float16", "CUDA"),
        ("mps", PLAIN_ARM, "float32", "mps"),
    ],
)
def test_auto_takes_what_the_device_computes_in_and_says_why(device, flags, precision, why):
    choice = choose("auto", device, flags)
    assert (choice.precision, choice.warning) == (precision, "")
    assert why in choice.reason


@pytest.mark.parametrize(
    ("asked", "device", "flags"),
    [
        ("float32", "cpu", PLAIN_X86),
        ("float32", "cuda", X86),
        ("bfloat16", "cpu", X86),
        ("bfloat16", "cpu", ARM),
        ("bfloat16", "cuda", PLAIN_X86),
        ("float16", "cuda", PLAIN_X86),
        ("float16", "cpu", ARM),
        ("float16", "cpu", PLAIN_X86 | {"avx512_fp16"}),
        ("int8", "cpu", PLAIN_X86),
        ("int8", "cpu", UNKNOWN),
    ],
)
def test_what_is_asked_for_and_can_be_done_is_taken_without_a_warning(asked, device, flags):
    choice = choose(asked, device, flags)
    assert (choice.precision, choice.reason, choice.warning) == (asked, "asked for", "")


@pytest.mark.parametrize(
    ("asked", "flags", "missing"),
    [
        ("bfloat16", PLAIN_X86, "no bfloat16 arithmetic (avx512_bf16, amx_bf16)"),
        ("bfloat16", PLAIN_ARM, "no bfloat16 arithmetic (bf16)"),
        ("float16", X86, "no float16 arithmetic (avx512_fp16, amx_fp16)"),
        ("float16", PLAIN_ARM, "no float16 arithmetic (asimdhp)"),
    ],
)
def test_a_precision_the_cpu_emulates_is_taken_with_a_warning(asked, flags, missing):
    choice = choose(asked, "cpu", flags)
    assert choice.precision == asked
    assert "asked for, though" in choice.reason
    for said in (f"{asked} is emulated, slower than float32", missing, "Leave out the precision."):
        assert said in choice.warning


def test_where_flags_are_not_known_a_precision_may_be_emulated():
    choice = choose("bfloat16", "cpu", UNKNOWN)
    assert choice.precision == "bfloat16"
    assert "bfloat16 may be emulated" in choice.warning
    assert "not known here" in choice.warning


@pytest.mark.parametrize(("device", "instead"), [("cuda", "float16"), ("mps", "float32")])
def test_int8_off_the_cpu_gives_way_to_what_suits_the_device(device, instead):
    choice = choose("int8", device, X86)
    assert choice.precision == instead
    assert choice.warning == f"computes in {instead}: int8 is for CPUs, not for {device}"
    assert choice.reason in choice.warning


@pytest.mark.parametrize(
    ("precision", "device", "flags", "then"),
    [
        ("float32", "cpu", X86, ()),
        ("float32", "cuda", X86, ()),
        ("bfloat16", "cpu", X86, ("float32",)),
        ("float16", "cpu", X86, ("bfloat16", "float32")),
        ("float16", "cpu", PLAIN_X86, ("float32",)),
        ("float16", "cuda", PLAIN_X86, ("bfloat16", "float32")),
        ("int8", "cpu", ARM, ("bfloat16", "float32")),
        ("int8", "cpu", PLAIN_ARM, ("float32",)),
        ("int8", "cpu", UNKNOWN, ("float32",)),
    ],
)
def test_wider_precisions_follow_but_none_the_cpu_would_emulate(precision, device, flags, then):
    assert fallbacks(precision, device, flags) == then


@pytest.mark.parametrize(
    ("content", "flags"),
    [
        (X86_CPUINFO, {"fpu", "sse2", "avx2", "avx512_bf16"}),
        (ARM_CPUINFO, {"fp", "asimd", "asimdhp", "bf16"}),
        ("processor\t: 0\nisa\t: rv64imafdc\n", set()),
        ("", set()),
    ],
)
def test_flags_are_read_as_linux_states_them(tmp_path, content, flags):
    (tmp_path / "cpuinfo").write_text(content)
    assert cpu_flags(tmp_path / "cpuinfo") == flags


def test_without_cpuinfo_no_flag_is_known(tmp_path):
    assert cpu_flags(tmp_path / "missing") == frozenset()


def test_a_tower_is_sound_from_the_least_cosine_of_its_precision_on():
    for precision, least in LEAST_COSINE.items():
        assert Settled(precision, "", cosine=least).sound
        assert not Settled(precision, "", cosine=least - 1e-6).sound
        assert not Settled(precision, "", cosine=float("nan")).sound
