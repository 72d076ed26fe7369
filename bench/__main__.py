"""The command line: Hydra composes the configuration, `bench.run` does the work."""

from __future__ import annotations

import os
import sys
from pathlib import Path

REPO_CONF = Path(__file__).resolve().parents[1] / "conf"  # a checkout
WHEEL_CONF = Path(__file__).resolve().parent / "conf"  # an installed wheel


def main() -> None:
    """Run ``python -m bench``; what the user can mend is one sentence on stderr and exit code 2."""
    import hydra
    from hydra.errors import HydraException
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from bench import config as schema
    from registry.errors import UserError

    @hydra.main(
        version_base="1.3", config_path=str(REPO_CONF if REPO_CONF.is_dir() else WHEEL_CONF), config_name="bench"
    )
    def job(composed: DictConfig) -> None:
        from bench.run import run

        run(OmegaConf.to_object(composed))  # type: ignore[arg-type]

    schema.register()
    if not any(a.lstrip("+~").startswith(("task=", "suite=", "task@", "tasks.")) for a in sys.argv[1:]):
        sys.argv.append("suite=demo")
    debug = bool(os.environ.get("PFMBENCH_DEBUG"))
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come here, to be said in a sentence
    try:
        job()
    except UserError as error:
        if debug:
            raise
        sys.exit(_complain(str(error)))
    except (HydraException, OmegaConfBaseException) as error:
        if debug:
            raise
        sys.exit(_complain(_plain(error)))
    except KeyboardInterrupt:
        sys.exit(_complain("Stopped; what is computed stays and is not done again."))


def _complain(message: str) -> int:
    for sentence in message.splitlines():
        print(f"pfmbench: {sentence}", file=sys.stderr)
    return 2


def _plain(error: Exception) -> str:
    """Hydra's own message in one line; its list of choices follows the first line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{' '.join(lines)} (python -m bench --help shows what can be set)"


if __name__ == "__main__":
    main()
