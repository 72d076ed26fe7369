"""Training of the small restorer: tiles, degradations on the device, the loop."""
