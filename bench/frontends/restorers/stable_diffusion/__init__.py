"""Stable Diffusion 2.1 under a ControlNet, as LPFM's second stage uses it: networks, weights, sampler, colours."""
