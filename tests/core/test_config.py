from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.core.config import ENVIRONMENT_PREFIX, SETTINGS_FILE, SettingsError, load_settings

KEY = "a key that only the tests know, 32+"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to start from, and no setting in the environment."""
    for name in [name for name in os.environ if name.startswith(ENVIRONMENT_PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_any_setting_the_contracts_defaults_hold(folder: Path) -> None:
    settings = load_settings()

    assert settings.env == "development"
    assert (settings.keepalive_seconds, settings.subscriber_queue) == (30, 100)
    assert (settings.database_url, settings.secret_key, settings.rules_file) == (None, None, None)
    assert settings.allowed_origins == ()
    assert settings.sqlalchemy_url == f"sqlite+aiosqlite:///{folder / 'tocsin-data' / 'tocsin.db'}"


def test_the_database_lies_in_the_data_folder_unless_it_is_told_otherwise(folder: Path) -> None:
    assert load_settings(data_dir="elsewhere").sqlalchemy_url == f"sqlite+aiosqlite:///{folder / 'elsewhere/tocsin.db'}"
    url = "postgresql+asyncpg://ward@localhost/tocsin"
    assert load_settings(data_dir="elsewhere", database_url=url).sqlalchemy_url == url


def test_the_environment_comes_before_the_file_and_the_file_before_the_defaults(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails when the sources are listed in another order (checked by exchanging the two)."""
    (folder / SETTINGS_FILE).write_text("keepalive_seconds = 5\nsubscriber_queue = 7\n")
    monkeypatch.setenv("TOCSIN_SUBSCRIBER_QUEUE", "9")

    settings = load_settings()

    assert (settings.keepalive_seconds, settings.subscriber_queue, settings.retry_ms) == (5, 9, 3000)
    assert load_settings(subscriber_queue=11).subscriber_queue == 11, "what the code says comes first of all"


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("https://ward.example.org", ("https://ward.example.org",)),
        (" https://a.example , http://localhost:5173,", ("https://a.example", "http://localhost:5173")),
        ("", ()),
    ],
    ids=["one", "two", "none"],
)
def test_origins_are_written_with_commas_in_the_environment(
    text: str, origins: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_ALLOWED_ORIGINS", text)

    assert load_settings().allowed_origins == origins


def test_origins_are_a_list_in_the_file(folder: Path) -> None:
    (folder / SETTINGS_FILE).write_text('allowed_origins = ["https://a.example", "https://b.example"]\n')

    assert load_settings().allowed_origins == ("https://a.example", "https://b.example")


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("ENV", "staging", "'development', 'production' or 'demo'"),
        ("KEEPALIVE_SECONDS", "0", "greater than 0"),
        ("KEEPALIVE_SECONDS", "often", "valid number"),
        ("KEEPALIVE_SECONDS", "nan", "less than or equal to 3600"),
        ("SUBSCRIBER_QUEUE", "0", "greater than or equal to 1"),
        ("SUBSCRIBER_QUEUE", "1.5", "valid integer"),
        ("ACCESS_TOKEN_SECONDS", "86401", "less than or equal to 86400"),
        ("LOG_LEVEL", "loud", "'debug', 'info', 'warning' or 'error'"),
        ("DATABASE_URL", "mysql://ward@localhost/tocsin", "postgresql+asyncpg://"),
        ("DATABASE_URL", "postgresql://ward@localhost/tocsin", "postgresql+asyncpg://"),
        ("ALLOWED_ORIGINS", "ward.example.org", "https://ward.example.org"),
        ("ALLOWED_ORIGINS", "https://ward.example.org/", "https://ward.example.org"),
        ("ALLOWED_ORIGINS", "https://a.example,*", "https://ward.example.org"),
        ("SECRET_KEY", "k" * 31, "at least 32 characters"),
    ],
)
def test_a_bad_setting_is_one_line_that_names_it_and_what_would_be_right(
    name: str, value: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"TOCSIN_{name}", value)

    with pytest.raises(SettingsError) as refused:
        load_settings()

    line = str(refused.value)
    assert line.startswith(f"TOCSIN_{name}")
    assert advice in line
    assert "\n" not in line
    assert "Value error" not in line


def test_every_bad_setting_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_RETRY_MS", "soon")
    monkeypatch.setenv("TOCSIN_LOG_LEVEL", "loud")

    with pytest.raises(SettingsError, match=r"TOCSIN_RETRY_MS: .*; TOCSIN_LOG_LEVEL: "):
        load_settings()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("retry_ms = soon\n", r"^tocsin\.toml: .*line 1"),
        ("retry_msec = 3000\n", r"^tocsin\.toml: there is no setting retry_msec$"),
        ('retry_ms = "soon"\n', "^TOCSIN_RETRY_MS: "),
    ],
    ids=["no TOML", "unknown name", "bad value"],
)
def test_a_mistake_in_the_file_stops_the_start_as_well(text: str, line: str, folder: Path) -> None:
    (folder / SETTINGS_FILE).write_text(text)

    with pytest.raises(SettingsError, match=line):
        load_settings()


def test_production_does_not_start_without_a_key_of_its_own() -> None:
    with pytest.raises(SettingsError, match=r"^TOCSIN_SECRET_KEY must be set in production"):
        load_settings(env="production")

    assert load_settings(env="production", secret_key=KEY).env == "production"


def test_a_key_shows_in_no_error_and_in_no_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails when `hide_input_in_errors` or `SecretStr` goes (checked with each)."""
    monkeypatch.setenv("TOCSIN_SECRET_KEY", KEY)
    assert KEY not in repr(load_settings())

    monkeypatch.setenv("TOCSIN_SECRET_KEY", "too-short-a-secret")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert "too-short-a-secret" not in str(refused.value)
    with pytest.raises(ValidationError) as untranslated:
        type(load_settings(secret_key=KEY))()
    assert "too-short-a-secret" not in str(untranslated.value)


def test_settings_do_not_change_once_they_are_read() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(load_settings(), "retry_ms", 5)  # noqa: B010
