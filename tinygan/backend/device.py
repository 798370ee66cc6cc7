"""What both devices share."""


class DeviceError(RuntimeError):
    """The device that was asked for cannot be used; the message says what to install or choose."""
