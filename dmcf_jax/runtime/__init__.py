"""What the process and the machine need: devices, hosts, signals, files, console."""
