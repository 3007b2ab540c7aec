"""The language server of the settings, as a back end. Nothing about it stands in a workflow or a picture."""

import time

from comfy import model_management

from .....zimage_core.chat_server import ChatServer, is_address
from .....zimage_core.language.remote import RemoteBackEnd
from .keys import key_for
from .settings import settings_of
from .user import running_user

ADDRESS, MODEL = "ZImage.ServerAddress", "ZImage.ServerModel"  # ids of the page's settings
TICK = 0.2  # seconds after which an interruption is noticed
EXAMPLE = "http://127.0.0.1:8080/v1"


def language_server() -> RemoteBackEnd | None:
    """The server in the settings of whoever queued the running prompt; None where no address stands there.

    Raises ValueError with one sentence for what is no address, and for a key that cannot be sent.
    """
    settings = settings_of(running_user())
    address, model = (str(settings.get(name) or "").strip() for name in (ADDRESS, MODEL))
    if not address:
        return None
    if not is_address(address):
        raise ValueError(
            f"The language server in ComfyUI's settings, {address!r}, is no web address. Type one like {EXAMPLE} there."
        )
    return RemoteBackEnd(ChatServer(address=address, model=model, key=key_for(address), wait=_wait, watch=_look_up))


def required_language_server() -> RemoteBackEnd:
    """The same; ValueError says what to do where there is none."""
    found = language_server()
    if found is None:
        raise ValueError(
            f"No language server is set. Type its address, such as {EXAMPLE}, in ComfyUI's settings under Z-Image."
        )
    return found


def _look_up() -> None:
    model_management.throw_exception_if_processing_interrupted()


def _wait(seconds: float) -> None:
    """Sleep between two attempts, unless the prompt is interrupted."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        _look_up()
        time.sleep(min(TICK, left))
