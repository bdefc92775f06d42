"""Machines on a switch of their own: each is a network namespace; the cable of one can be pulled."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from types import TracebackType


class NotPermitted(Exception):
    """No root, no ip, or a kernel or container that gives no namespaces."""


class Network:
    """`hub` is the address of this machine on the switch, where the database, the proxy and the shops are."""

    def __init__(self, machines: int) -> None:
        number = os.getpid()
        self._tag = f"co{number % 100_000}"
        self.subnet = f"10.77.{number % 250}"
        self.hub = f"{self.subnet}.1"
        self._machines = range(machines)

    def __enter__(self) -> Network:
        if os.geteuid() or not shutil.which("ip"):
            raise NotPermitted("Network namespaces need root and ip (iproute2).")
        try:
            self._ip(f"link add {self._tag} type bridge", f"addr add {self.hub}/24 dev {self._tag}",
                     f"link set {self._tag} up")  # fmt: skip
            for machine in self._machines:
                self._plug_in(machine)
        except subprocess.CalledProcessError as error:
            self._remove()
            raise NotPermitted(f"This machine gives no network namespaces: {error.stderr.strip()}") from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._remove()

    def address(self, machine: int) -> str:
        return f"{self.subnet}.{10 + machine}"

    def within(self, machine: int) -> tuple[str, ...]:
        """What to put before a command so that it runs on the machine."""
        return ("ip", "netns", "exec", self._name(machine))

    def pull(self, machine: int) -> None:
        """Nothing that is sent arrives, either way, and nobody is told."""
        self._ip(f"link set {self._name(machine)} down")

    def plug(self, machine: int) -> None:
        self._ip(f"link set {self._name(machine)} up")

    def _plug_in(self, machine: int) -> None:
        name, inside = self._name(machine), f"-n {self._name(machine)}"
        self._ip(
            f"netns add {name}",
            f"link add {name} type veth peer name eth0 netns {name}",
            f"link set {name} master {self._tag} up",
            f"{inside} addr add {self.address(machine)}/24 dev eth0",
            f"{inside} link set eth0 up",
            f"{inside} link set lo up",
        )

    def _name(self, machine: int) -> str:
        return f"{self._tag}m{machine}"

    def _remove(self) -> None:
        for machine in self._machines:
            with suppress(subprocess.CalledProcessError):
                self._ip(f"netns del {self._name(machine)}")
        with suppress(subprocess.CalledProcessError):
            self._ip(f"link del {self._tag}")

    @staticmethod
    def _ip(*commands: str) -> None:
        for command in commands:
            subprocess.run(["ip", *command.split()], check=True, capture_output=True, text=True)
