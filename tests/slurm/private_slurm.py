"""A private Slurm of one node under a folder, without systemd, cgroups or a database.

Its daemons, and all that they start, are descendants of a keeper: a process that ends them by pid once the process that
wanted them closes its end of a pipe (`slurm_keeper.py`). The system closes it too when that process is interrupted or
killed, so no daemon is left behind.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import random
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import slurm_keeper
from slurm_keeper import STARTUP_S, wait_for

CPUS = 6  # that the node claims, whatever the machine has: jobs of one CPU
MAX_ARRAY_SIZE = 4  # so that a test can exceed it
_ADMIN_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/sbin")  # not on the PATH of every user

_CONFIGURATION = """\
ClusterName=pfmbench
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
# a requeued job is held back for about as long as a credential lives, and a slow machine must start a step within it
AuthInfo=socket={root}/run/munge.sock,cred_expire=10
# of the daemons with each other and with commands, and until the script of a job runs, on a machine that stands still
MessageTimeout=90
TCPTimeout=30
BatchStartTimeout=300
SlurmctldPidFile={root}/run/slurmctld.pid
SlurmdPidFile={root}/run/slurmd.pid
SlurmctldLogFile={root}/log/slurmctld.log
SlurmdLogFile={root}/log/slurmd.log
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,bf_interval=1
SlurmdParameters=config_overrides
MpiDefault=none
ReturnToService=2
# submitit ignores SIGTERM, so a cancelled job ends only with the SIGKILL after this
KillWait=2
# finished jobs are listed for an hour: the stand-in for sacct reads them
MinJobAge=3600
MaxArraySize={max_array_size}
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=65536 State=UNKNOWN
PartitionName=ci Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""

# submitit polls sacct, which wants a database; the controller's memory has the answer too
_SACCT = """\
#!/usr/bin/env bash
ids=(); while (($#)); do [[ $1 == -j ]] && { ids+=("$2"); shift; }; shift; done
echo 'JobID|State|NodeList'
squeue --noheader --array --states=all --jobs="$(IFS=,; echo "${ids[*]}")" --format='%i|%T|%N'
"""


def why_not() -> str:
    """Why no Slurm can be started here; empty if one can."""
    if not sys.platform.startswith("linux"):
        return "Slurm runs on Linux only"
    missing = [name for name in ("munged", "slurmctld", "slurmd", "srun") if shutil.which(name, path=_path()) is None]
    if missing:
        return f"Slurm is not installed, {', '.join(missing)} is missing: apt-get install slurm-wlm munge"
    if os.geteuid() != 0:
        return "the daemon of a Slurm node needs root"
    return ""


class PrivateSlurm:
    """A Slurm that lives as long as this context, or at most as long as this process.

    Parameters
    ----------
    root : Path
        An empty folder; keys, sockets, logs and state are all in it. Sockets limit its length to about 80 characters.

    Attributes
    ----------
    environment : dict
        Of a process that is to use it, without the variables of a Slurm around the tests.
    """

    def __init__(self, root: Path):
        self.root = root
        around = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "SBATCH_"))}
        configuration = str(root / "conf" / "slurm.conf")
        self.environment = {**around, "SLURM_CONF": configuration, "PATH": f"{root / 'bin'}{os.pathsep}{_path()}"}
        self._keeper: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> PrivateSlurm:
        for folder in ("conf", "run", "log", "state", "spool", "bin"):
            (self.root / folder).mkdir(parents=True)
        self._configure()
        self._keeper = subprocess.Popen(
            [sys.executable, slurm_keeper.__file__, str(self.root)],
            env=self.environment,
            stdin=subprocess.PIPE,
            start_new_session=True,  # an interrupt at the terminal is for the tests, and they then end it
        )
        try:
            self._wait_until_idle()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        assert self._keeper is not None
        assert self._keeper.stdin is not None
        self._keeper.stdin.close()
        self._keeper.wait(timeout=STARTUP_S)

    def _configure(self) -> None:
        controller_port, node_port = free_ports(2)
        text = _CONFIGURATION.format(
            root=self.root,
            host=socket.gethostname().split(".")[0],
            user=getpass.getuser(),
            controller_port=controller_port,
            node_port=node_port,
            cpus=CPUS,
            max_array_size=MAX_ARRAY_SIZE,
        )
        (self.root / "conf" / "slurm.conf").write_text(text)
        # "disabled" is there from 24.05 on, and earlier versions do not start with it
        version = tuple(int(part) for part in self.run("slurmd", "-V").split()[-1].split(".")[:2])
        plugin = "disabled" if version >= (24, 5) else "cgroup/v1"
        (self.root / "conf" / "cgroup.conf").write_text(f"CgroupPlugin={plugin}\n")
        sacct = self.root / "bin" / "sacct"
        sacct.write_text(_SACCT)
        sacct.chmod(0o755)
        key = self.root / "run" / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(128))

    @property
    def keeper_pid(self) -> int:
        assert self._keeper is not None
        return self._keeper.pid

    def run(self, *command: str, check: bool = True) -> str:
        """What a command of Slurm prints; on stderr too where it may fail."""
        done = subprocess.run(
            command,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=STARTUP_S,
            check=False,
        )
        assert done.returncode == 0 or not check, f"{command}: {done.stdout}"
        return done.stdout.strip()

    def states(self, job: str = "") -> dict[str, str]:
        """State such as RUNNING by job id; of one job or array, or of all that were ever submitted."""
        which = [f"--jobs={job}"] if job else []
        listed = self.run("squeue", "--noheader", "--array", "--states=all", "--format=%i|%T", *which, check=False)
        return dict(line.split("|") for line in listed.splitlines() if "|" in line)

    def stop_node(self) -> None:
        """End slurmd; the jobs that run go on."""
        self._tell("stop", lambda: not self._node_pid())

    def start_node(self) -> None:
        """Start slurmd again."""
        self._tell("start", lambda: bool(self._node_pid()))
        self._wait_until_idle()

    def _tell(self, word: str, done: Callable[[], bool]) -> None:
        assert self._keeper is not None
        assert self._keeper.stdin is not None
        self._keeper.stdin.write(f"{word}\n".encode())
        self._keeper.stdin.flush()
        wait_for(done, f"slurmd was told to {word}")

    def _node_pid(self) -> int:
        """Pid of slurmd; 0 where it does not run."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.root / "run" / "slurmd.pid").read_text())
            os.kill(pid, 0)
            return pid
        return 0

    def _wait_until_idle(self) -> None:
        """Wait until the node takes jobs."""

        def ready() -> bool:
            return self.run("sinfo", "--noheader", "--format=%t", check=False) in ("idle", "mix", "alloc")

        try:
            wait_for(ready, "the node takes jobs", STARTUP_S)
        except TimeoutError as error:
            logs = "\n".join(f"{log.name}: {log.read_text()[-2000:]}" for log in (self.root / "log").iterdir())
            raise TimeoutError(f"{error}\n{logs}") from None


def free_ports(n: int) -> list[int]:
    """Ports that nobody listens on now, all different.

    None of those that systems give to connections, so that none is taken before a daemon listens on it.
    """
    found: list[int] = []
    with contextlib.ExitStack() as stack:
        while len(found) < n:
            port, one = random.SystemRandom().randrange(20_000, 32_000), stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                one.bind(("127.0.0.1", port))
                found.append(port)
    return found


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), *_ADMIN_FOLDERS])
