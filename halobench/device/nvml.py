"""The state of an NVIDIA GPU as its driver reports it: clock, power, temperature, throttling."""

from typing import Any

import pynvml

# Why a clock is lower than it could be; bits of NVML's `nvmlClocksEventReasons`.
THROTTLED = {
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
}


def state(uuid: object) -> str:
    """Return clock, power and temperature of a device as text, and why the clock is low if it is."""
    try:
        return _state(handle(pynvml, uuid))
    except pynvml.NVMLError as error:
        return f"not told: {error}"


def handle(nvml: Any, uuid: object) -> Any:
    """NVML's own handle of the device that torch knows by this id: the two may count devices differently."""
    nvml.nvmlInit()
    return nvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")


def _state(handle: object) -> str:
    clock = pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM)
    power = pynvml.nvmlDeviceGetPowerUsage(handle) / 1e3
    heat = pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)
    reasons = pynvml.nvmlDeviceGetCurrentClocksEventReasons(handle)
    throttled = [name for bit, name in THROTTLED.items() if reasons & bit]
    return f"{clock} MHz, {power:.0f} W, {heat} °C" + "".join(f", throttled: {name}" for name in throttled)
