"""Sweeps: many trainings of one model, spread over the cores of this machine or of a Ray cluster."""
