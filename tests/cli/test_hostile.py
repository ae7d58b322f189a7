"""Guests that attack the kernel they share an address space with (docs/adr/0001-trap-machine.md)."""
import pathlib
import re
import shutil
import subprocess

from harness import Skip, test

KERNEL_BASE = 0x670000000000
BLOCKS_BASE = 0x671000000000
RAM_WINDOW = 0x680000000000
ROM_WINDOW = 0x690000000000
ENTRIES = ["SignalEntry", "EnterGuest", "exit_begin", "exit_end", "HostClone", "LeaveBlock", "TrapMachineEntry",
           "CalibrateEntry", "SignalRestorer", "CopyUserBytes", "ZeroUserBytes", "CopyUserString", "LoadUser32",
           "CompareExchangeUser32", "RestoreVectorImage", "memcpy", "memset"]

# These end the attacker, by a signal or with its container.
GATES = {"SignalEntry", "EnterGuest", "HostClone", "LeaveBlock", "TrapMachineEntry", "CalibrateEntry", "SignalRestorer"}


def symbols(z):
    """Addresses in the kernel that zrun carries, from the kernel file beside it in the build folder."""
    kernel = pathlib.Path(z.zrun).parent / "zkernel-trap"
    if not kernel.exists() or not shutil.which("nm"):
        raise Skip("zkernel-trap is not beside zrun, or there is no nm")
    listing = subprocess.run(["nm", kernel], capture_output=True, text=True, check=True).stdout
    return {name: int(address, 16) for address, name in re.findall(r"^([0-9a-f]+) \w (\S+)$", listing, re.MULTILINE)}


def has_keys(z):
    return "yes" in re.search(r"protection keys: *(\S+)", z.raw("info").text).group(1)


def attack(z, *arguments, also=()):
    """Whatever happens: it ends by a signal of its own or with its container, it says nothing of success."""
    result = z.run("./hostile", *arguments)
    z.check(b"survived" not in result.out, f"{arguments}: it survived")
    z.check(result.status == 125 or 128 < result.status < 160 or result.status in also,
            f"{arguments}: status {result.status}, {result.errors!r}")
    if result.status == 125:
        z.check("isolation violation" in result.errors or "kernel" in result.errors, f"{arguments}: {result.errors!r}")
    return result


@test
def hostile_writes(z):
    z.program("hostile")
    # Kernel text is never writable, whatever the processor offers.
    z.equal(attack(z, "write", f"{KERNEL_BASE:x}").status, 139)
    if not has_keys(z):
        raise Skip("this processor has no protection keys")
    for address in (KERNEL_BASE + 0x800000, BLOCKS_BASE + 0xa800, RAM_WINDOW, ROM_WINDOW):
        z.equal(attack(z, "write", f"{address:x}").status, 139, f"{address:x}")


@test
def hostile_reads(z):
    z.program("hostile")
    if not has_keys(z):
        raise Skip("this processor has no protection keys")
    known = symbols(z)
    for address in (known["host_cookie"], BLOCKS_BASE + 0xa800, RAM_WINDOW, ROM_WINDOW):
        z.equal(attack(z, "read", f"{address:x}").status, 139, f"{address:x}")


@test
def hostile_writes_in_a_child(z):
    # A fault is the guest's own affair: its neighbours live on.
    program = z.program("hostile")
    z.equal(z.shell(f"{program} write {KERNEL_BASE:x}; echo $?").text, "139\n")


@test
def hostile_jumps_to_entries(z):
    z.program("hostile")
    known = symbols(z)
    # Without keys a guest reads the cookie there and ends its own thread behind the kernel's back: its container waits.
    spared = set() if has_keys(z) else {"LeaveBlock"}
    for name in ENTRIES:
        if name in known and name not in spared:
            # Plain functions may return to the guest (status 3): they did what the guest could do itself.
            attack(z, "jump", f"{known[name]:x}", also=[] if name in GATES else [3])


@test
def hostile_jumps_into_the_way_out(z):
    z.program("hostile")
    known = symbols(z)
    for address in range(known["exit_begin"], known["exit_end"], 7):
        # The way out leads back to the guest, with registers that only spoil the guest's own work.
        attack(z, "jump", f"{address:x}", also=range(126))


@test
def hostile_forged_host_calls(z):
    program = z.program("hostile")
    known = symbols(z)
    begin, end = known["kernel_text_begin"], known["kernel_text_end"]
    result = z.run(program, "scan", f"{begin:x}", f"{end:x}")
    sites = [line for line in result.text.splitlines() if line != "survived"]
    z.check(len(sites) > 5, f"{len(sites)} SYSCALL instructions found")
    for site in (sites[0], sites[len(sites) // 2], sites[-1]):
        for number in (0, 1, 2, 9, 39, 41, 56, 59, 62, 231, 317):  # read write open mmap getpid socket clone execve ...
            result = attack(z, "call", site, number)
            z.equal(result.status, 125, f"host call {number} at {site}")
            z.check("isolation violation" in result.errors, result.errors)


@test
def hostile_other_call_instructions(z):
    program = z.program("hostile")
    result = z.run(program, "forge")
    z.check(result.text == "forged nothing\n" or 128 < result.status < 160, f"status {result.status}, {result.text!r}")


@test
def hostile_calls_on_kernel_addresses(z):
    program = z.program("hostile")
    for address in (KERNEL_BASE, BLOCKS_BASE, RAM_WINDOW, ROM_WINDOW, 0x668000000000, 0x660000000000):
        z.ok(z.run(program, "unmap", f"{address:x}"), "0 changes\n")
