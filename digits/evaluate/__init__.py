"""Score networks on labelled images."""
