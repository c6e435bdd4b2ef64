"""The accelerators, witness by witness: bus, driver's files, NVML, nvidia-smi, AMD's KFD."""
