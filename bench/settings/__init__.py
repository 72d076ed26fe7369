"""Which values a setting may have, and what the YAML files of a configuration may say."""

from bench.settings.data_files import check_data_file
from bench.settings.overrides import readable
from bench.settings.refusals import is_of_hydra, no_command, no_name_of_a_group, sentence_of
from bench.settings.values import (
    FLAG,
    PATH,
    PATHS,
    PATHS_BY_NAME,
    PATTERN,
    SETTINGS,
    TEXT,
    TEXTS,
    TEXTS_BY_NAME,
    WHOLE,
    Kind,
    Range,
    check_fields,
    check_value,
    of,
)

__all__ = [
    "FLAG",
    "PATH",
    "PATHS",
    "PATHS_BY_NAME",
    "PATTERN",
    "SETTINGS",
    "TEXT",
    "TEXTS",
    "TEXTS_BY_NAME",
    "WHOLE",
    "Kind",
    "Range",
    "check_data_file",
    "check_fields",
    "check_value",
    "is_of_hydra",
    "no_command",
    "no_name_of_a_group",
    "of",
    "readable",
    "sentence_of",
]
