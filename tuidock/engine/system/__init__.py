"""What concerns the data root as a whole: check, rebuild, reset, disk usage, info."""
