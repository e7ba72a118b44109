"""What is done with the pipeline's results, from outside the pipeline."""
