from __future__ import annotations

import base64
import json
import stat
from pathlib import Path

import pytest

from engine.errors import InvalidInput, RegistryError
from engine.registry.credentials import DOCKER_HUB_KEY, Credential, Credentials, credentials_path


def auth(username: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "docker/config.json"


def write(file: Path, document: object) -> Credentials:
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(document))
    return Credentials(file)


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """docker-credential-drawer: keeps one file per server in the returned directory, and its arguments in `calls`."""
    drawer = tmp_path / "drawer"
    drawer.mkdir()
    program = tmp_path / "bin/docker-credential-drawer"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        f"cd {drawer}\n"
        'echo "$@" >> calls\n'
        "given=$(cat)\n"
        'name=$(echo "$given" | tr -d "\\n" | sed \'s/.*"ServerURL": *"\\([^"]*\\)".*/\\1/\' | tr -c "a-z0-9\\n" _)\n'
        "case $1 in\n"
        'get) cat "$name" 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; };;\n'
        'store) echo "$given" > "$name";;\n'
        'erase) rm -f "$name";;\n'
        "esac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return drawer


def test_a_password_is_kept_and_forgotten(file: Path) -> None:
    credentials = Credentials(file)
    assert credentials.find("host:5000") is None
    credentials.store("host:5000", Credential("user", "pass:word ü"))
    assert credentials.find("host:5000") == Credential("user", "pass:word ü")
    assert credentials.find("host") is None
    assert credentials.erase("host:5000") is True
    assert credentials.erase("host:5000") is False
    assert credentials.find("host:5000") is None


def test_only_the_owner_may_read_the_file_and_foreign_keys_stay(file: Path) -> None:
    credentials = write(file, {"auths": {"other": auth("a", "b")}, "proxies": {"default": 1}})
    file.chmod(0o644)
    credentials.store("host", Credential("user", "word"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    document = json.loads(file.read_text())
    assert document["proxies"] == {"default": 1}
    assert set(document["auths"]) == {"other", "host"}
    assert list(file.parent.iterdir()) == [file]


def test_a_file_that_is_a_symbolic_link_stays_one(file: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.json"
    real.write_text("{}")
    file.parent.mkdir()
    file.symlink_to(real)
    Credentials(file).store("host", Credential("user", "word"))
    assert file.is_symlink()
    assert "host" in json.loads(real.read_text())["auths"]


def test_docker_hub_has_its_own_key_and_old_names_are_read(file: Path) -> None:
    Credentials(file).store("docker.io", Credential("user", "word"))
    assert list(json.loads(file.read_text())["auths"]) == [DOCKER_HUB_KEY]
    for key in (DOCKER_HUB_KEY, "docker.io", "index.docker.io", "https://index.docker.io/v1"):
        assert write(file, {"auths": {key: auth("u", "p")}}).find("docker.io") == Credential("u", "p")
    assert write(file, {"auths": {"https://host:5000/v2/": auth("u", "p")}}).find("host:5000") == Credential("u", "p")
    assert Credentials(file).erase("host:5000") is True


def test_a_key_for_a_namespace_is_for_that_namespace_only(file: Path) -> None:
    credentials = write(file, {"auths": {"host/team": auth("t", "1"), "host/team/app": auth("a", "2")}})
    assert credentials.find("host", "team/app") == Credential("a", "2")
    assert credentials.find("host", "team/other") == Credential("t", "1")
    assert credentials.find("host", "teammate/app") is None
    assert credentials.find("host") is None


def test_tokens_and_plain_fields_are_read(file: Path) -> None:
    document = {
        "identity": {**auth("u", ""), "identitytoken": "it"},
        "registry": {"registrytoken": "rt"},
        "plain": {"username": "u", "password": "p"},
        "empty": {},
        "padded": {"auth": base64.b64encode(b"u:p\0\0").decode()},
    }
    credentials = write(file, {"auths": document})
    assert credentials.find("identity") == Credential("u", identity_token="it")
    assert credentials.find("registry") == Credential(registry_token="rt")
    assert credentials.find("plain") == Credential("u", "p")
    assert credentials.find("empty") is None
    assert credentials.find("padded") == Credential("u", "p")


@pytest.mark.parametrize("text", ["{", "[]", "\ufeff{}x", "[" * 100_000])
def test_a_file_that_is_no_json_object_is_named(file: Path, text: str) -> None:
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(InvalidInput, match=r"config\.json"):
        Credentials(file).find("host")
    with pytest.raises(InvalidInput):
        Credentials(file).store("host", Credential("u", "p"))
    assert file.read_text() == text


@pytest.mark.parametrize(
    "entry", [{"auth": "!"}, {"auth": "bm9jb2xvbg=="}, {"auth": 7}, {"username": 1, "password": []}]
)
def test_an_entry_that_cannot_be_read_is_named_without_its_content(file: Path, entry: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match="credentials for host"):
        write(file, {"auths": {"host": entry}}).find("host")


@pytest.mark.parametrize("setting", [{"credsStore": "drawer"}, {"credHelpers": {"host": "drawer"}}])
def test_a_credential_program_keeps_what_the_file_then_does_not(
    file: Path, helper: Path, setting: dict[str, object]
) -> None:
    credentials = write(file, setting)
    before = file.read_text()
    assert credentials.plaintext_path("host") == ""
    credentials.store("host", Credential("user", "hunter2"))
    assert file.read_text() == before
    assert credentials.find("host") == Credential("user", "hunter2")
    assert credentials.erase("host") is True
    assert credentials.find("host") is None
    assert credentials.erase("host") is False
    assert "hunter2" not in (helper / "calls").read_text()
    assert "host" not in (helper / "calls").read_text()  # everything goes through standard input


def test_a_helper_is_for_its_host_and_the_file_for_the_others(file: Path, helper: Path) -> None:
    credentials = write(file, {"credHelpers": {"host": "drawer"}, "auths": {"other": auth("u", "p")}})
    assert credentials.find("other") == Credential("u", "p")
    assert not (helper / "calls").exists()
    assert credentials.plaintext_path("other") == str(file)


def test_an_identity_token_goes_through_a_credential_program(file: Path, helper: Path) -> None:
    credentials = write(file, {"credsStore": "drawer"})
    credentials.store("docker.io", Credential("user", identity_token="it"))
    assert credentials.find("docker.io") == Credential(identity_token="it")


@pytest.mark.parametrize("name", ["../../tmp/evil", "a/b", "-x", "", 7, "a b"])
def test_a_credential_program_whose_name_is_a_path_is_not_run(file: Path, name: object) -> None:
    credentials = write(file, {"credsStore": name, "auths": {"host": auth("u", "p")}})
    if name == "":
        assert credentials.find("host") == Credential("u", "p")
    else:
        with pytest.raises(InvalidInput, match="credential program"):
            credentials.find("host")


def test_a_credential_program_that_fails_or_is_missing_is_named(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RegistryError, match="docker-credential-missing, which is not in PATH"):
        write(file, {"credsStore": "missing"}).find("host")
    program = tmp_path / "docker-credential-bad"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for script, words in [
        ("echo 'the keychain is \033[31mlocked'; exit 1", "failed: the keychain is"),
        ("echo nonsense", "no credential for host"),
        ('echo \'{"Username": "u", "Secret": "hunter2"}\'; exit 3', "failed: exit code 3"),
    ]:
        program.write_text(f"#!/bin/sh\ncat >/dev/null\n{script}\n")
        program.chmod(0o755)
        with pytest.raises(RegistryError, match=words) as caught:
            write(file, {"credsStore": "bad"}).find("host")
        assert caught.value.message.isprintable()
        assert "hunter2" not in caught.value.message


def test_the_file_is_where_docker_or_podman_would_have_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DOCKER_CONFIG")
    assert credentials_path() == tmp_path / "home/.docker/config.json"
    monkeypatch.setenv("DOCKER_CONFIG", "/elsewhere")
    assert credentials_path() == Path("/elsewhere/config.json")
    monkeypatch.setenv("REGISTRY_AUTH_FILE", "/run/auth.json")
    assert credentials_path() == Path("/run/auth.json")
