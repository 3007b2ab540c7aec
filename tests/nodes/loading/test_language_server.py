"""The language server of ComfyUI's settings: whose settings count, and where a key goes."""

import importlib
import json
from types import SimpleNamespace

import pytest
from queued_prompts import queued, running

ADDRESS, KEY = "https://models.example/v1", "sk-secret"


@pytest.fixture
def modules(pack):
    def load(name):
        return importlib.import_module(f"{pack.entry.__name__}.nodes.bridge.loading.language_server.{name}")

    return SimpleNamespace(**{name: load(name) for name in ("chosen", "settings", "keys", "user")})


@pytest.fixture
def folder(modules, tmp_path, monkeypatch):
    """ComfyUI's user folder, of a server that listens to everybody; without a key in the environment."""
    import folder_paths

    monkeypatch.setattr(folder_paths, "get_user_directory", lambda: str(tmp_path))
    monkeypatch.setattr(modules.keys.args, "listen", "127.0.0.1,0.0.0.0")
    monkeypatch.setattr(modules.keys.args, "multi_user", False)
    monkeypatch.delenv(modules.keys.KEY_VARIABLE, raising=False)
    return tmp_path


def choose(folder, user, **settings):
    (folder / user).mkdir(exist_ok=True)
    text = json.dumps({f"ZImage.Server{name}": value for name, value in settings.items()})
    (folder / user / "comfy.settings.json").write_text(text)


def test_nothing_is_set_until_somebody_types_an_address(modules, folder):
    server = modules.chosen
    assert server.language_server() is None
    choose(folder, "default", Address=" ", Model="qwen")
    assert server.language_server() is None
    with pytest.raises(ValueError, match="in ComfyUI's settings under Z-Image"):
        server.required_language_server()
    (folder / "default/comfy.settings.json").write_text('{"ZImage.ServerAddress": ')
    assert server.language_server() is None  # as ComfyUI reads a broken file
    choose(folder, "default", Address=f"{ADDRESS} ", Model="qwen")
    found = server.required_language_server().server
    assert (found.address, found.model, found.key) == (ADDRESS, "qwen", "")


@pytest.mark.parametrize("address", ["models.example", "ftp://models.example", "http://me:pw@models.example/v1", 7])
def test_what_is_no_address_is_refused_in_a_sentence(modules, folder, address):
    choose(folder, "default", Address=address)
    with pytest.raises(ValueError, match="is no web address"):
        modules.chosen.language_server()


def test_a_key_of_the_file_goes_to_its_own_address_only(modules, folder):
    (folder / "zimage").mkdir()
    (folder / "zimage/server_keys.txt").write_text(f"# mine\n{ADDRESS}/ {KEY}\nhttp://other.example/v1 other\nbroken\n")
    key_for = modules.keys.key_for
    assert key_for(ADDRESS) == KEY and key_for("http://other.example/v1/") == "other"
    assert key_for("http://models.example/v1") == key_for("https://models.example.evil/v1") == ""
    choose(folder, "default", Address=ADDRESS)
    assert KEY not in repr(modules.chosen.language_server())


@pytest.mark.parametrize(
    ("listen", "multi_user", "key"),
    [
        ("127.0.0.1", False, KEY),
        ("127.0.0.1,::1", False, KEY),
        ("0.0.0.0", False, ""),
        ("127.0.0.1,192.168.0.3", False, ""),
        ("127.0.0.1", True, ""),
    ],
)
def test_the_key_of_the_environment_stays_where_others_may_type_the_address(
    modules, folder, monkeypatch, listen, multi_user, key
):
    monkeypatch.setenv(modules.keys.KEY_VARIABLE, KEY)
    monkeypatch.setattr(modules.keys.args, "listen", listen)
    monkeypatch.setattr(modules.keys.args, "multi_user", multi_user)
    assert modules.keys.key_for(ADDRESS) == key


def test_among_several_users_the_one_who_queued_counts(modules, folder, monkeypatch):
    """A real web application, as ComfyUI builds it, tells us who asked; a name inside a request counts nothing."""
    monkeypatch.setattr(modules.keys.args, "multi_user", True)

    def user_of(request):
        if (user := request.headers.get("comfy-user", "default")) not in ("default", "anna_1"):
            raise KeyError("Unknown user")
        return user

    asked = ({"comfy-user": "anna_1"}, {"comfy-user": "nobody"}, {})
    users = SimpleNamespace(get_request_user_id=user_of)
    noted = queued(modules.user.watch_users, asked, {"zimage_user": "eve"}, user_manager=users)
    assert [each["zimage_user"] for each in noted] == ["anna_1", "default", "default"]
    choose(folder, "default", Address="http://127.0.0.1:1/v1")
    choose(folder, "anna_1", Address=ADDRESS)
    running(monkeypatch, noted[0])
    assert modules.chosen.required_language_server().server.address == ADDRESS
