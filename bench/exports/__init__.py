"""What other programs read: features for CLAM, TRIDENT and Patho-Bench, tiles, and attention for QuPath."""

from bench.exports.command import USAGE, attention_command, check_arguments, export, export_attention

__all__ = ["USAGE", "attention_command", "check_arguments", "export", "export_attention"]
