"""Settings: where they come from, what is shown of them, and what is said to be wrong."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, SecretStr

from journeys.channels.email import SmtpSettings
from journeys.cli.settings import known_variables, page, remarks
from journeys.engine.settings import Environment, WrongFile
from tests.cli.test_commands import ROOT, journeys


@pytest.fixture(autouse=True)
def nothing_of_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tests themselves are told by the environment is no setting."""
    for name in [name for name in os.environ if name.startswith("JOURNEYS_")]:
        monkeypatch.delenv(name)


FINE = {
    "DATABASE_URL": "postgresql://db.example/shop",
    "TEMPORAL_ADDRESS": "temporal.example:7233",
    "JOURNEYS_SMTP_HOST": "mail.example",
    "JOURNEYS_PUBLIC_URL": "https://go.example.com",
}


async def shown(environment: dict[str, str], code: int = 0) -> dict[str, Any]:
    said = await journeys("settings", "--json", environment=environment)
    assert said.code == code, said
    return dict(json.loads(said.out))


async def test_each_setting_is_shown_with_where_it_comes_from_and_no_secret_is(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("sesame\n")
    environment = FINE | {
        "JOURNEYS_SMTP_PASSWORD_FILE": str(secret),
        "JOURNEYS_CONNECTIONS": "20",
        "DATABASE_URL": "postgresql://me:opensesame@db.example:5433/shop",
    }
    found = await shown(environment)
    by_name = {one["name"]: one for one in found["settings"]}
    assert found["remarks"] == []
    assert by_name["JOURNEYS_SMTP_PASSWORD"]["value"] == "set"
    assert by_name["JOURNEYS_SMTP_PASSWORD"]["source"] == f"file {secret}"
    assert (by_name["JOURNEYS_CONNECTIONS"]["value"], by_name["JOURNEYS_CONNECTIONS"]["source"]) == (
        "20", "environment",
    )  # fmt: skip
    assert by_name["DATABASE_URL"]["value"] == "postgresql://db.example:5433/shop"
    assert by_name["JOURNEYS_TASK_QUEUE"]["source"] == "default"
    assert "sesame" not in json.dumps(found)
    table = await journeys("settings", environment=environment)
    assert (table.code, "sesame" in table.out + table.err) == (0, False)
    assert "20 connections" in table.out


async def test_what_looks_wrong_is_said(tmp_path: Path) -> None:
    found = await shown({"JOURNEYS_SMTP_HOTS": "mail.example"}, 1)
    assert "JOURNEYS_SMTP_HOTS is no setting: did you mean JOURNEYS_SMTP_HOST?" in found["remarks"]
    far = await shown(FINE | {"JOURNEYS_FOO_BAR": "2"}, 1)
    assert far["remarks"] == ["JOURNEYS_FOO_BAR is no setting: `journeys settings` lists all"]
    assert any(one.startswith("JOURNEYS_SMTP_HOST is not set") for one in found["remarks"])
    assert any("no one else can follow them" in one for one in found["remarks"])
    [one] = (await shown(FINE | {"JOURNEYS_CONNECTIONS": "many"}, 1))["remarks"]
    assert one.startswith("JOURNEYS_CONNECTIONS is not valid")
    place = tmp_path / "none"
    [one] = (await shown(FINE | {"JOURNEYS_SECRET_KEY_FILE": str(place)}, 1))["remarks"]
    assert one == f"JOURNEYS_SECRET_KEY_FILE: {place} cannot be read: No such file or directory"
    [one] = (await shown(FINE | {"JOURNEYS_TRACE": "1", "JOURNEYS_TRACE_FILE": str(ROOT / "LICENSE")}, 1))[
        "remarks"
    ]
    assert one == "both JOURNEYS_TRACE and JOURNEYS_TRACE_FILE are set: unset one of them"


def remarked(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> list[str]:
    """The remarks where everything is fine but these."""
    with monkeypatch.context() as patched:
        for name in ("DATABASE_URL", "TEMPORAL_ADDRESS"):
            patched.delenv(name, raising=False)
        for name, text in (FINE | environment).items():
            patched.setenv(name, text)
        return list(remarks(known_variables(), FINE | environment))


async def test_what_serve_and_worker_cannot_do_without_is_missed() -> None:
    found = (await shown({}, 1))["remarks"]
    for name in ("DATABASE_URL", "TEMPORAL_ADDRESS", "JOURNEYS_SMTP_HOST"):
        assert [one for one in found if one.startswith(f"{name} is not set")], (name, found)


NO_URL = "DATABASE_URL is not valid: it is not the URL of a PostgreSQL database"


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"DATABASE_URL": "postgresql://[bad"}, NO_URL),
        ({"DATABASE_URL": "postgresql://localhost:abc/x"}, NO_URL),
        ({"DATABASE_URL": "postgresql://u:sesame/ab@h/x"}, NO_URL),
        ({"DATABASE_URL": "sqlite:///x"}, NO_URL),
        ({"DATABASE_URL": "postgresql://h/x?channel_binding=require"}, "DATABASE_URL is not valid: its parameter channel_binding"),
        ({"TEMPORAL_ADDRESS": "temporal"}, "TEMPORAL_ADDRESS is not valid: it is not host:port"),
        ({"TEMPORAL_TLS_CA": "/nosuch"}, "TEMPORAL_TLS_CA: /nosuch cannot be read"),
        ({"TEMPORAL_TLS_CERT": str(ROOT / "LICENSE")}, "TEMPORAL_TLS_CERT and TEMPORAL_TLS_KEY belong together"),
        ({"TEMPORAL_TLS_KEY": str(ROOT / "LICENSE")}, "TEMPORAL_TLS_CERT and TEMPORAL_TLS_KEY belong together"),
        ({"JOURNEYS_SECRET_KEY": "short"}, "JOURNEYS_SECRET_KEY is not a valid key"),
        ({"JOURNEYS_TIME_SCALE": "60"}, "JOURNEYS_TIME_SCALE is 60: .*never in production"),
        ({"JOURNEYS_WEBHOOK_ALLOWED_NETWORKS": "10.1.2.3/16,10.1.2.3"}, "JOURNEYS_WEBHOOK.*10.1.2.3/16 .*read as 10.1.0.0/16"),
        ({"JOURNEYS_CONNECTED_ALLOWED_NETWORKS": "fd00::1/8"}, "JOURNEYS_CONNECTED.*fd00::1/8 .*read as fd00::/8"),
    ],
)  # fmt: skip
def test_what_a_process_would_refuse_or_do_otherwise_is_said_once(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], said: str
) -> None:
    [one] = remarked(monkeypatch, environment)
    assert re.match(said, one), one


@pytest.mark.parametrize(
    "url",
    ["postgres://me:word@[::1]:5433/shop", "postgresql://a:1,b:2/shop", "postgresql:///shop?host=/run/postgresql",
     "postgresql+asyncpg://db.example/shop?sslmode=require&connect_timeout=5"],
)  # fmt: skip
def test_nothing_is_said_of_a_url_that_can_be_used(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    assert remarked(monkeypatch, {"DATABASE_URL": url}) == []


async def test_a_setting_gets_its_own_errors_only_and_the_others_of_its_class_are_shown() -> None:
    """Also of one that stands in a file which is not there, and no password of a URL that is wrong."""
    wrong = {
        "DATABASE_URL": "postgresql://u:sesame/ab@h/x",
        "TEMPORAL_ADDRESS": "temporal",
        "JOURNEYS_CONNECTIONS": "many",
        "JOURNEYS_DRAIN_LANES": "3",
        "JOURNEYS_TASK_QUEUE": "shop",
        "JOURNEYS_SMTP_PORT": "2525",
        "JOURNEYS_SMTP_PASSWORD_FILE": "/nosuch",
    }
    found = await shown(FINE | wrong, 1)
    values = {one["name"]: one["value"] for one in found["settings"]}
    assert {name for name, value in values.items() if value == "not valid"} == {
        "DATABASE_URL", "TEMPORAL_ADDRESS", "JOURNEYS_CONNECTIONS", "JOURNEYS_SMTP_PASSWORD",
    }  # fmt: skip
    others = ("JOURNEYS_DRAIN_LANES", "JOURNEYS_TASK_QUEUE", "JOURNEYS_SMTP_PORT", "TEMPORAL_NAMESPACE")
    assert [values[name] for name in others] == ["3", "shop", "2525", "default"]
    assert values["JOURNEYS_SMTP_HOST"] == "mail.example"
    assert len(found["remarks"]) == 4, found["remarks"]
    assert "sesame" not in json.dumps(found)


async def test_a_command_reads_its_settings_from_files(tmp_path: Path) -> None:
    place = tmp_path / "url"
    place.write_text("postgresql://nobody@127.0.0.1:1/none\n")
    said = await journeys("entries", "mel", environment={"DATABASE_URL_FILE": str(place)})
    assert (said.code, "the database cannot be reached" in said.err) == (1, True)
    place.unlink()
    said = await journeys("entries", "mel", environment={"DATABASE_URL_FILE": str(place)})
    assert (said.code, f"DATABASE_URL_FILE: {place} cannot be read" in said.err) == (2, True)


def test_settings_of_every_class_may_stand_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Other(Environment):
        word: SecretStr | None = Field(default=None, description="A word")
        number: int = Field(validation_alias="OTHER_NUMBER", description="A number")

    for name, text in (("JOURNEYS_WORD", " open \n"), ("OTHER_NUMBER", "7"), ("JOURNEYS_SMTP_TLS", "true")):
        (tmp_path / name).write_text(text)
        monkeypatch.setenv(f"{name}_FILE", str(tmp_path / name))
    other = Other()  # type: ignore[call-arg]  # from the environment
    assert other.word is not None
    assert (other.word.get_secret_value(), other.number) == ("open", 7)
    assert SmtpSettings().tls is True
    monkeypatch.setenv("OTHER_NUMBER", "8")
    with pytest.raises(WrongFile):
        Other()  # type: ignore[call-arg]  # from the environment


def test_the_page_of_settings_is_the_one_that_the_code_makes() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == page()


def test_every_setting_has_a_description_and_every_number_a_unit() -> None:
    known = [one for one in known_variables() if one.settings.__module__.startswith("journeys.")]
    assert len(known) > 15
    for one in known:
        assert one.description, one.name
        annotation = str(one.settings.model_fields[one.field].annotation)
        if "int" in annotation or "float" in annotation:
            assert one.unit or one.name in ("JOURNEYS_SMTP_PORT", "JOURNEYS_TIME_SCALE"), one.name
