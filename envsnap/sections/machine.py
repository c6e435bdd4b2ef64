"""The system, processor and memory under the environment."""

from envsnap.sections._shape import Fact, fact, shape


@shape
class Os:
    """The operating system."""

    system: Fact[str] = fact("Linux, Darwin or Windows")
    distribution: Fact[str | None] = fact("os-release's ID, as 'debian'; null where there is none")
    distribution_version: Fact[str | None] = fact("os-release's VERSION_ID; macOS's or Windows's")
    distribution_name: Fact[str | None] = fact("What people call it (PRETTY_NAME)")
    codename: Fact[str | None] = fact("os-release's VERSION_CODENAME")
    distribution_like: Fact[tuple[str, ...]] = fact("os-release's ID_LIKE")
    kernel: Fact[str] = fact("The kernel's release, as '6.8.0-48-generic'")
    kernel_build: Fact[str] = fact("The kernel's build line")
    architecture: Fact[str] = fact("The machine's architecture, as 'x86_64'")
    libc: Fact[str | None] = fact("glibc or musl; null where there is neither")
    libc_version: Fact[str | None] = fact("Its version, as '2.36'", sources=("libc's file", "ldd"))
    wsl: Fact[int | None] = fact("The version of the Windows Subsystem for Linux; null if none")


@shape
class Cpu:
    """The processor."""

    vendor: Fact[str] = fact("GenuineIntel, AuthenticAMD, ARM, Apple, ...")
    model: Fact[str] = fact("The name it gives itself")
    microarchitecture: Fact[str] = fact("archspec's name of it, as 'zen4'", sources=("archspec",))
    generic_level: Fact[str | None] = fact("The x86-64 level it reaches, as 'x86_64_v3'")
    features: Fact[tuple[str, ...]] = fact("Instruction-set flags, sorted")
    sockets: Fact[int] = fact("Physical packages")
    cores: Fact[int] = fact("Physical cores over all sockets")
    threads: Fact[int] = fact("Logical processors of the machine, online")


@shape
class Memory:
    """The machine's memory."""

    total_mib: Fact[int] = fact("Installed and usable by the kernel", unit="MiB")
    swap_mib: Fact[int] = fact("Swap space", unit="MiB")
