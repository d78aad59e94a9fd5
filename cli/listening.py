"""The address that the API listens on: whether it can be used, and how this machine calls it."""

import errno
import socket

from engine.infra.settings import SettingError, Settings


def require_port(settings: Settings) -> None:
    """Raise SettingError, naming the setting and the cure, if the API could not listen on host and port."""
    host, port = settings.host, settings.port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            # Linux lets two bind with SO_REUSEADDR as long as only one of them listens.
            probe.listen(1)
    except socket.gaierror:
        raise SettingError(f"FLOWFORGE_HOST={host} (--host) is not known. Name an address of this machine.") from None
    except OSError as error:
        raise SettingError(_explain(error, host, port)) from None


def _explain(error: OSError, host: str, port: int) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"FLOWFORGE_PORT={port} (--port) is taken on {host}. Stop what listens there, or name another port."
        case errno.EACCES:
            return f"FLOWFORGE_PORT={port} (--port) needs privileges that we do not have. Name a port above 1023."
        case errno.EADDRNOTAVAIL:
            return f"FLOWFORGE_HOST={host} (--host) is no address of this machine. 127.0.0.1 and 0.0.0.0 always are."
        case _:
            return f"FLOWFORGE_HOST={host} and FLOWFORGE_PORT={port} cannot be used: {error.strerror}. Name others."


def local_url(settings: Settings) -> str:
    """The address under which this machine itself reaches the API."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"
