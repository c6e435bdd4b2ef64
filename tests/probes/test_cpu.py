from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsnap.host import RecordedHost, Uname
from envsnap.probes import Look
from envsnap.probes._texts import parse_cpu_list
from envsnap.probes._topology import parse_places
from envsnap.probes.cpu import parse_cpuinfo, parse_darwin, probe_cpu
from envsnap.sections import Cpu, Reason, Unknown

SKYLAKE_FLAGS = (
    "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse "
    "sse2 ss ht syscall nx pdpe1gb rdtscp lm constant_tsc rep_good nopl xtopology nonstop_tsc "
    "cpuid aperfmperf tsc_known_freq pni pclmulqdq ssse3 fma cx16 pcid sse4_1 sse4_2 x2apic movbe "
    "popcnt tsc_deadline_timer aes xsave avx f16c rdrand hypervisor lahf_lm abm 3dnowprefetch "
    "invpcid_single pti fsgsbase tsc_adjust bmi1 avx2 smep bmi2 erms invpcid mpx avx512f avx512dq "
    "rdseed adx smap clflushopt clwb avx512cd avx512bw avx512vl xsaveopt xsavec xgetbv1 xsaves "
    "ida arat pku ospke"
)
GRAVITON3 = """\
processor	: {number}
BogoMIPS	: 2100.00
Features	: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm jscvt \
fcma lrcpc dcpop sha3 sm3 sm4 asimddp sha512 sve asimdfhm dit uscat ilrcpc flagm ssbs paca pacg \
dcpodp svei8mm svebf16 i8mm bf16 dgh rng
CPU implementer	: 0x41
CPU architecture: 8
CPU variant	: 0x1
CPU part	: 0xd40
CPU revision	: 1

"""
POWER9 = """\
processor	: 0
cpu		: POWER9, altivec supported
clock		: 3783.000000MHz
revision	: 2.2 (pvr 004e 1202)

processor	: 1
cpu		: POWER9, altivec supported
clock		: 3783.000000MHz
revision	: 2.2 (pvr 004e 1202)

timebase	: 512000000
platform	: PowerNV
model		: 8335-GTH
machine		: PowerNV 8335-GTH
firmware	: OPAL
MMU		: Radix
"""
VISIONFIVE = """\
processor	: 0
hart		: 1
isa		: rv64imafdc_zicntr_zicsr_zifencei_zihpm_zba_zbb
mmu		: sv39
uarch		: sifive,u74-mc
mvendorid	: 0x489
"""


def xeon(sockets: int, cores: int, threads: int) -> str:
    return "".join(
        f"processor\t: {number}\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\n"
        "model name\t: Intel(R) Xeon(R) Platinum 8175M CPU @ 2.50GHz\nstepping\t: 4\n"
        f"physical id\t: {number % sockets}\nsiblings\t: {cores * threads}\n"
        f"core id\t\t: {number // sockets % cores}\ncpu cores\t: {cores}\n"
        f"flags\t\t: {SKYLAKE_FLAGS}\nbugs\t\t: spectre_v1\n\n"
        for number in range(sockets * cores * threads)
    )


def linux(machine: str) -> Uname:
    return Uname("Linux", "6.1.0", "#1 SMP", machine)


def test_two_sockets_with_hyper_threads_are_counted(look_at: Callable[..., Look]) -> None:
    host = RecordedHost.made(
        files={"/proc/cpuinfo": xeon(2, 4, 2), "/sys/devices/system/cpu/online": "0-15\n"},
        uname=linux("x86_64"),
    )
    assert probe_cpu(look_at(host)) == Cpu(
        vendor="GenuineIntel",
        model="Intel(R) Xeon(R) Platinum 8175M CPU @ 2.50GHz",
        microarchitecture="skylake_avx512",
        generic_level="x86_64_v4",
        features=tuple(sorted(set(SKYLAKE_FLAGS.split()))),
        sockets=2,
        cores=8,
        threads=16,
    )


def test_graviton_is_told_by_its_part_and_counted_by_sys(look_at: Callable[..., Look]) -> None:
    text = "".join(GRAVITON3.format(number=number) for number in range(4))
    files = {"/proc/cpuinfo": text, "/sys/devices/system/cpu/online": "0-3\n"}
    for number in range(4):
        topology = f"/sys/devices/system/cpu/cpu{number}/topology"
        files[f"{topology}/thread_siblings_list"] = f"{number}\n"
        files[f"{topology}/physical_package_id"] = "0\n"
    host = RecordedHost.made(
        files=files,
        folders={"/sys/devices/system/cpu": ["cpufreq", "cpuidle", "possible"]},
        uname=linux("aarch64"),
    )
    found = probe_cpu(look_at(host))
    assert (found.vendor, found.model) == ("ARM", "ARM 0xd40")
    assert (found.microarchitecture, found.generic_level) == ("neoverse_v1", None)
    assert (found.sockets, found.cores, found.threads) == (1, 4, 4)
    assert not isinstance(found.features, Unknown)
    assert "sve" in found.features


def test_a_package_that_firmware_does_not_number_is_unknown(look_at: Callable[..., Look]) -> None:
    topology = "/sys/devices/system/cpu/cpu0/topology"
    host = RecordedHost.made(
        files={
            "/proc/cpuinfo": GRAVITON3.format(number=0),
            "/sys/devices/system/cpu/online": "0\n",
            f"{topology}/thread_siblings_list": "0\n",
            f"{topology}/physical_package_id": "-1\n",
        },
        uname=linux("aarch64"),
    )
    found = probe_cpu(look_at(host))
    why = Unknown(Reason.NOT_SUPPORTED, "the kernel does not tell where its processors are")
    assert (found.sockets, found.cores, found.threads) == (why, 1, 1)


def test_power_is_told_by_its_generation(look_at: Callable[..., Look]) -> None:
    host = RecordedHost.made(
        files={"/proc/cpuinfo": POWER9}, uname=linux("ppc64le"), absent_below=["/sys"]
    )
    found = probe_cpu(look_at(host))
    silent = Unknown(Reason.NOT_SUPPORTED, "/proc/cpuinfo does not tell it on ppc64le")
    assert (found.vendor, found.model, found.features) == ("IBM", "POWER9", silent)
    assert (found.microarchitecture, found.generic_level) == ("power9le", None)
    assert found.threads == 2


def test_risc_v_is_told_by_its_uarch() -> None:
    found = parse_cpuinfo(VISIONFIVE, "riscv64")
    assert (found.vendor, found.model) == ("sifive", "sifive,u74-mc")
    assert found.witness is not None
    assert found.witness.name == "u74mc"


def test_a_machine_without_cpuinfo_keeps_its_count(look_at: Callable[..., Look]) -> None:
    host = RecordedHost.made(
        files={"/sys/devices/system/cpu/online": "0-7\n"},
        uname=linux("x86_64"),
        absent=["/proc/cpuinfo"],
    )
    found = probe_cpu(look_at(host))
    gone = Unknown(Reason.NOT_SUPPORTED, "/proc/cpuinfo is not there")
    assert (found.vendor, found.microarchitecture, found.generic_level) == (gone, gone, gone)
    assert found.threads == 8


def test_a_folder_tells_nothing_of_a_processor(look_at: Callable[..., Look]) -> None:
    off = Unknown(Reason.NO_RUNNING_MACHINE)
    found = probe_cpu(look_at(RecordedHost.made(uname=off)))
    assert set(vars(found).values()) == {off}


def test_an_apple_laptop_is_told_by_sysctl() -> None:
    found = parse_darwin(
        {
            "machdep.cpu.brand_string": "Apple M2 Pro",
            "hw.packages": "1",
            "hw.physicalcpu": "12",
            "hw.logicalcpu": "12",
            "hw.optional.arm.FEAT_DotProd": "1",
            "hw.optional.arm.FEAT_SME": "0",
            "hw.optional.arm.FEAT_BF16": "1",
        }
    )
    assert found == Cpu(
        vendor="Apple",
        model="Apple M2 Pro",
        microarchitecture="m2",
        generic_level=None,
        features=("FEAT_BF16", "FEAT_DotProd"),
        sockets=1,
        cores=12,
        threads=12,
    )


def test_an_intel_mac_is_told_by_its_flags() -> None:
    found = parse_darwin(
        {
            "machdep.cpu.brand_string": "Intel(R) Core(TM) i7-8750H CPU @ 2.20GHz",
            "machdep.cpu.vendor": "GenuineIntel",
            "machdep.cpu.features": "FPU VME DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV "
            "PAT PSE36 CLFSH DS ACPI MMX FXSR SSE SSE2 SS HTT TM PBE SSE3 PCLMULQDQ DTES64 MON "
            "DSCPL VMX EST TM2 SSSE3 FMA CX16 TPR PDCM SSE4.1 SSE4.2 x2APIC MOVBE POPCNT AES PCID "
            "XSAVE OSXSAVE SEGLIM64 TSCTMR AVX1.0 RDRAND F16C",
            "machdep.cpu.leaf7_features": "RDWRFSGS TSC_THREAD_OFFSET SGX BMI1 AVX2 SMEP BMI2 ERMS "
            "INVPCID FPU_CSDS MPX RDSEED ADX SMAP CLFSOPT IPT",
            "machdep.cpu.extfeatures": "SYSCALL XD 1GBPAGE EM64T LAHF LZCNT PREFETCHW RDTSCP TSCI",
        }
    )
    assert (found.vendor, found.microarchitecture) == ("GenuineIntel", "skylake")
    assert (found.generic_level, found.sockets) == (
        "x86_64_v3",
        Unknown(Reason.NOT_SUPPORTED, "the system does not tell hw.packages"),
    )


def test_windows_tells_what_its_variables_hold(look_at: Callable[..., Look]) -> None:
    host = RecordedHost.made(
        uname=Uname("Windows", "11", "10.0.22631", "AMD64"),
        environ={
            "PROCESSOR_IDENTIFIER": "Intel64 Family 6 Model 142 Stepping 12, GenuineIntel",
            "NUMBER_OF_PROCESSORS": "8",
        },
    )
    found = probe_cpu(look_at(host))
    unseen = Unknown(Reason.NOT_SUPPORTED, "Windows does not show it")
    assert (found.vendor, found.threads, found.cores) == ("GenuineIntel", 8, unseen)
    assert found.model == "Intel64 Family 6 Model 142 Stepping 12"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0-3,8", 5),
        ("0", 1),
        ("0-1\n", 2),
        ("", None),
        ("3-1", None),
        ("a", None),
        ("0-999999", None),
    ],
)
def test_a_list_of_processors_is_counted(text: str, count: int | None) -> None:
    assert parse_cpu_list(text) == count


@given(st.text(), st.sampled_from(["x86_64", "aarch64", "ppc64le", "riscv64", "s390x", ""]))
def test_no_text_makes_a_parser_raise(text: str, machine: str) -> None:
    for spoken in (text, "vendor_id: " + text, "CPU implementer: " + text, "cpu : POWER" + text):
        assert len(parse_cpuinfo(spoken, machine)) == 4
    assert parse_places(text) == []
    assert parse_cpu_list(text) is None or text.strip()[0].isdecimal()
    assert isinstance(parse_darwin({"machdep.cpu.brand_string": text, "hw.packages": text}), Cpu)
