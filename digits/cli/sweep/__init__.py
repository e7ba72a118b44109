"""Search better parameters, with Ray Tune and Optuna."""
