"""What fails on purpose: kills, full disks, crowds, hostile content, reboots. Afterwards all is in order."""
