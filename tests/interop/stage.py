"""The machine of `make torture`: three servers, each in a network namespace of its own at a bridge, with its data on a
volume of its own (ext4 in a file), and with a wall clock of its own (libfaketime). What this machine cannot do is
named, and the faults that need it are passed over.

Everything is made in namespaces of this process (`in_private_namespaces`), and goes with it.
"""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import time

from ensemble import Ensemble

VOLUME_MB = 160
PRIVATE = "QUORATE_TORTURE_IS_PRIVATE"
# Nobody has this address: frames to it reach nobody.
NOBODY = "02:00:00:00:00:99"


def quiet(*command):
    """Whether it ended well."""
    return subprocess.call([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


def must(*command):
    ended = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if ended.returncode:
        raise OSError(f"{' '.join(map(str, command))}: {ended.stderr.strip()}")
    return ended.stdout


def in_private_namespaces(*flags):
    """Begins this program anew with mounts and a network of its own (`flags` of unshare); says in PRIVATE why not, where
    that is not allowed."""
    flags = list(flags or ["-mn"])
    if os.environ.get(PRIVATE):
        return
    os.environ[PRIVATE] = "1"
    if not shutil.which("unshare") or not shutil.which("ip"):
        os.environ[PRIVATE] = "unshare and ip (util-linux, iproute2) are not installed"
        return
    for more in ([], ["-r"]):
        if quiet("unshare", *flags, *more, "true"):
            os.execvp("unshare", ["unshare", *flags, *more, sys.executable, *sys.argv])
    os.environ[PRIVATE] = "this machine lets nobody make namespaces"


class Stage:
    """`e` is the ensemble; `missing` says of networks, volumes and clocks why there are none."""

    def __init__(self, extra):
        self.missing = {}
        self.networks = self.volumes = self.clocks = False
        why = os.environ.get(PRIVATE)
        if why != "1":
            self.missing = {"networks": why, "volumes": why}
        for what, make in (("networks", self.make_networks), ("clocks", self.find_clocks)):
            self.attempt(what, make)
        address = (lambda sid: f"10.77.0.{sid}") if self.networks else (lambda sid: "127.0.0.1")
        # A syncLimit of two seconds, so that a cut need not last longer.
        self.e = Ensemble(extra=extra, limits=(20, 4), address=address, wrap=self.wrap)
        self.attempt("volumes", self.make_volumes)

    def attempt(self, what, make):
        if what in self.missing:
            return
        try:
            make()
            setattr(self, what, True)
        except OSError as failure:
            self.missing[what] = str(failure)

    def wrap(self, sid):
        words = []
        if self.networks:
            words += ["nsenter", f"--net=/run/netns/server{sid}"]
        if self.clocks:
            (self.e.home(sid) / "clock").write_text("+0\n")
            words += [
                "env",
                f"LD_PRELOAD={self.library}",
                f"FAKETIME_TIMESTAMP_FILE={self.e.home(sid)}/clock",
                "FAKETIME_CACHE_DURATION=1",
                "FAKETIME_DONT_FAKE_MONOTONIC=1",
                "NO_FAKE_STAT=1",
            ]
        return words

    # Networks.

    def make_networks(self):
        must("ip", "link", "set", "lo", "up")
        # Where `ip` keeps namespaces, and only root may.
        must("mount", "-t", "tmpfs", "none", "/run")
        must("ip", "link", "add", "bridge", "type", "bridge")
        must("ip", "addr", "add", "10.77.0.254/24", "dev", "bridge")
        must("ip", "link", "set", "bridge", "up")
        for sid in (1, 2, 3):
            name = f"server{sid}"
            must("ip", "netns", "add", name)
            must("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
            must("ip", "link", "set", name, "master", "bridge", "up")
            must("ip", "-n", name, "addr", "add", f"10.77.0.{sid}/24", "dev", "eth0")
            must("ip", "-n", name, "link", "set", "lo", "up")
            must("ip", "-n", name, "link", "set", "eth0", "up")

    def cut(self, sender, receiver):
        """What one server sends another is lost, without a word to either; the way back stays."""
        neighbour = f"10.77.0.{receiver}", "lladdr", NOBODY, "dev", "eth0", "nud", "permanent"
        must("ip", "-n", f"server{sender}", "neigh", "replace", *neighbour)

    def join(self):
        for sid in self.e.ids:
            must("ip", "-n", f"server{sid}", "neigh", "flush", "dev", "eth0", "nud", "permanent")

    # Volumes.

    def make_volumes(self):
        for sid in self.e.ids:
            image = self.image(sid)
            with open(image, "wb") as file:
                file.truncate(VOLUME_MB << 20)
            must("mkfs.ext4", "-q", "-m", "0", image)
            self.mount(sid)
            (self.volume(sid) / "myid").write_text(f"{sid}\n")
        os.sync()

    def image(self, sid):
        return self.e.home(sid) / "volume"

    def volume(self, sid):
        return self.e.home(sid) / "data"

    def mount(self, sid):
        must("mount", "-o", "loop,errors=remount-ro", self.image(sid), self.volume(sid))

    def fill(self, sid):
        with open(self.volume(sid) / "filler", "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1 << 16))

    def empty(self, sid):
        (self.volume(sid) / "filler").unlink()

    def make_read_only(self, sid):
        """As the kernel does when the file system has found an error."""
        device = must("findmnt", "-n", "-o", "SOURCE", self.volume(sid)).strip()
        pathlib.Path(f"/sys/fs/ext4/{pathlib.Path(device).name}/trigger_fs_error").write_text("1")

    def make_writable(self, sid):
        """Nothing may run there."""
        must("umount", self.volume(sid))
        # 1: errors were mended.
        if subprocess.call(["e2fsck", "-fp", self.image(sid)], stdout=subprocess.DEVNULL) > 1:
            raise OSError(f"e2fsck cannot mend {self.image(sid)}")
        self.mount(sid)

    def freeze(self, sid):
        must("fsfreeze", "-f", self.volume(sid))

    def thaw(self, sid):
        must("fsfreeze", "-u", self.volume(sid))

    # Clocks.

    def find_clocks(self):
        found = [path for path in pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1")]
        if not found:
            raise OSError("no libfaketime (Debian's package faketime)")
        self.library = found[0]

    def set_clock(self, sid, seconds):
        (self.e.home(sid) / "clock").write_text(f"{seconds:+d}\n")

    def settle_clocks(self):
        # A file of a clock is read again two seconds later at most: libfaketime counts whole ones.
        time.sleep(2.5)

    def close(self):
        for sid in list(self.e.processes):
            self.e.kill(sid)
        for sid in self.e.ids if self.volumes else ():
            quiet("umount", self.volume(sid))
        self.e.close()
