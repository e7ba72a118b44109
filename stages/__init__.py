"""The pipeline's stages, one script each; dvc.yaml says what reads and writes what."""
