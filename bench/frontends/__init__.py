"""Front-ends between tile and encoder: corruptions, restorers, and chains of them; uint8 tiles in, uint8 tiles out."""
