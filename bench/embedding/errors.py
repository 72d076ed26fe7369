"""Errors of models: memory that runs out, and what an error holds on the device."""

from __future__ import annotations

import traceback

from registry.errors import UserError


def explained(model: str, error: Exception, mend: str) -> Exception:
    """An error of a model; memory that runs out becomes a sentence that says when, and what to do."""
    if is_out_of_memory(error):
        return UserError(f"{model} runs out of GPU memory {mend}.")
    return error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error is that a GPU's memory ran out."""
    return type(error).__name__ == "OutOfMemoryError"


def free_frames(error: BaseException | None) -> None:
    """Let go of the networks that the frames of an error hold on the device; its lines stay for who debugs."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
