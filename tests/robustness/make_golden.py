"""Write `golden.json`: what the package croma (pip install croma==1.0.1) gives for made features.

python tests/robustness/make_golden.py
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import croma
from robustness_helpers import made, manifest_of

CASES: dict[str, dict[str, Any]] = {
    "two": {"classes": 2, "centres": 2, "seed": 11},
    "by centre": {"classes": 2, "centres": 2, "by_centre": 3.0, "by_class": 0.5, "seed": 12},
    "three": {"classes": 3, "centres": 3, "slides": 4, "dim": 12, "seed": 13},
}
K, M = 11, 5


def main() -> None:
    warnings.simplefilter("ignore")
    golden: dict[str, dict[str, Any]] = {"index": {}, "croma": {}}
    for name, case in CASES.items():
        one = made(**case)
        known = {"manifest": manifest_of(one), "confounder_column": "centre"}
        index = croma.RI.compute(one.features, k_candidates=[K], **known)
        weighed = croma.MaRI.compute(one.features, k_candidates=[K], **known)
        margin = croma.CRoMa.compute(one.features, m=M, **known)
        golden["index"][name] = {"made": case, "k": K, "ri": index.value, "mari": weighed.value}
        golden["croma"][name] = {"made": case, "m": M, "croma": margin.value, "ltm10": margin.ltm_alpha}
    (Path(__file__).parent / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
