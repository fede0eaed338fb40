"""Golden traces: what each definition does, branch by branch, as lines that a review can read."""
