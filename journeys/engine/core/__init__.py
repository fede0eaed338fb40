"""The core: the machine that moves an entry, the driver, the simulator and the timing; pure."""
