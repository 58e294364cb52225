"""What ``make lab`` does to a machine before the lab: one script a step here, and the order in which they run."""
