"""Whether the heads of rows are the published presets of their names."""

from __future__ import annotations

from collections.abc import Iterator

from bench import runs, targets
from bench.packs.content import Finding, PackedRun
from bench.targets import Measurements

OTHER_PROTOCOL = "another protocol"


def other_protocol(run: PackedRun) -> Iterator[Finding]:
    """Findings on a row whose head has the name of a preset and other settings, or other settings than it states."""
    row = run.row
    if isinstance(targets.get(row.kind), Measurements):
        return
    published = runs.preset_digest(row.protocol)
    if published and published != row.head_config_hash:
        yield Finding(
            OTHER_PROTOCOL,
            f"the head of {run.name} has the digest {row.head_config_hash}, and the published preset {row.protocol} "
            f"has {published}: other settings, so give the protocol another name.",
        )
        return
    try:
        stated = runs.stated_digest(row)
    except Exception as error:  # of settings that anybody may have written
        yield Finding(
            OTHER_PROTOCOL, f"the settings of the head in {run.name} cannot be used ({str(error).rstrip('.')})."
        )
        return
    if stated is not None and stated != row.head_config_hash:
        yield Finding(
            OTHER_PROTOCOL,
            f"the settings of the head in {run.name} make the digest {stated}, and its row has {row.head_config_hash}.",
        )


def is_published(run: PackedRun) -> bool:
    """Whether the protocol of a row is one of the presets, or needs none as nothing is predicted."""
    return runs.preset_digest(run.row.protocol) is not None or isinstance(targets.get(run.row.kind), Measurements)
