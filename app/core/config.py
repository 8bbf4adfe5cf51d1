"""Settings: typed, frozen, read once from the environment (`TOCSIN_…`) and then from `tocsin.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

SETTINGS_FILE = "tocsin.toml"
ENVIRONMENT_PREFIX = "TOCSIN_"

#: RFC 7518, 3.2: a key for HS256 is at least as long as the hash, 256 bits.
SHORTEST_SECRET_KEY = 32


#: Read by commands and tests, and no settings of the server.
_OTHER_VARIABLES = {"TOCSIN_TOKEN", "TOCSIN_TEST_BROWSER", "TOCSIN_TEST_DATA"}


class SettingsError(Exception):
    """A setting that cannot be used; its text is the one line that the operator reads."""


class Settings(BaseSettings):
    """Everything that can be set. Each field says what it does, in which unit."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX, toml_file=SETTINGS_FILE, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    env: Literal["development", "production", "demo"] = Field(
        "development", description="`production` refuses to start without a key of its own."
    )
    data_dir: Path = Field(Path("tocsin-data"), description="Folder of the SQLite database and the generated key.")
    database_url: str | None = Field(None, description="SQLAlchemy URL; SQLite under the data folder when not set.")
    secret_key: SecretStr | None = Field(
        None, description="Signs tokens (HS256), at least 32 characters; made on first start when not set."
    )
    access_token_seconds: int = Field(1800, ge=60, le=86_400, description="How long a sign-in's access token holds.")
    refresh_token_seconds: int = Field(14 * 86_400, ge=300, description="How long an unused refresh token holds.")
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Origins that browsers may write from with a cookie; comma-separated, besides this server's own.",
    )
    keepalive_seconds: float = Field(30.0, gt=0, le=3600, description="A stream is never silent for longer than this.")
    subscriber_queue: int = Field(100, ge=1, le=100_000, description="Live events that wait for a slow reader.")
    slow_consumer_seconds: float = Field(
        30.0, gt=0, description="A reader that takes nothing for this long is closed; of alerts it loses nothing."
    )
    recent_log_bytes: int = Field(
        8 << 20, ge=0, description="How much of the newest alert log is kept in memory, for those who come back."
    )
    strip_memory_bytes: int = Field(
        256 << 20, ge=1 << 20, description="How much memory the last minute of everybody's waveforms may take."
    )
    max_connections: int = Field(
        16_384, ge=20, description="TCP connections in all; streams leave the last twentieth to short requests."
    )
    max_new_connections_per_second: float = Field(
        2000, ge=0, description="New TCP connections; five seconds' worth may come at once. 0 for no limit."
    )
    max_streams_per_user: int = Field(
        0, ge=0, description="Alert streams and sockets that one account may have open. 0 for no limit."
    )
    dead_peer_seconds: int = Field(
        25, ge=2, le=3600, description="A peer that has acknowledged nothing for so long is taken for gone."
    )
    device_silent_seconds: float = Field(
        30.0,
        ge=0,
        le=86_400,
        description="A device that should send, and was not heard for so long, alarms. 0 for never.",
    )
    loop_lag_period_seconds: float = Field(
        0.5,
        gt=0,
        le=60,
        description="How often the event loop is asked how late it is; a hold shows to this precision.",
    )
    drain_seconds: float = Field(
        5.0, ge=0, le=600, description="Over how long open streams are sent elsewhere before the server stops."
    )
    retry_ms: int = Field(3000, ge=100, description="About when a client is asked to reconnect; jittered by half.")
    log_poll_seconds: float = Field(
        0.5, gt=0, le=60, description="How often a node looks for changes that no bus message told of."
    )
    max_body_bytes: int = Field(1 << 20, ge=1024, description="Largest request body and WebSocket message.")
    retention_days: int = Field(
        90, ge=0, le=36_500, description="For how many days readings are kept; alerts stay. 0 keeps them for ever."
    )
    rules_file: Path | None = Field(None, description="Rules that replace the shipped ones.")
    ecg_heart_rate: bool = Field(True, description="Count the heart rate from the ECG; needs the extra `ecg`.")
    shutdown_seconds: int = Field(10, ge=1, description="How long open requests may take to end after a signal.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What is logged, at least.")
    log_format: Literal["auto", "json", "console"] = Field("auto", description="`auto`: JSON unless on a terminal.")

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        if isinstance(value, str):
            value = [part for part in (piece.strip() for piece in value.split(",")) if part]
        return value

    @field_validator("allowed_origins")
    @classmethod
    def _check_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            scheme, separator, host = origin.partition("://")
            if scheme not in {"http", "https"} or not separator or not host or "/" in host:
                raise ValueError(f"{origin!r} is no origin; write it as https://ward.example.org")
        return origins

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("sqlite+aiosqlite://", "postgresql+asyncpg://")):
            raise ValueError("use sqlite+aiosqlite:///path or postgresql+asyncpg://user@host/name")
        return url

    @model_validator(mode="after")
    def _check_secret_key(self) -> Settings:
        if self.secret_key is None:
            if self.env == "production":
                raise ValueError(f"SECRET_KEY must be set in production, to at least {SHORTEST_SECRET_KEY} characters")
        elif len(self.secret_key.get_secret_value()) < SHORTEST_SECRET_KEY:
            raise ValueError(f"SECRET_KEY must be at least {SHORTEST_SECRET_KEY} characters long")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls))

    @property
    def sqlalchemy_url(self) -> str:
        """Where the database is."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir.absolute() / 'tocsin.db'}"


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Variables with our prefix that set nothing: most likely misspelt."""
    known = {ENVIRONMENT_PREFIX + name.upper() for name in Settings.model_fields} | _OTHER_VARIABLES
    return sorted(name for name in environment if name.startswith(ENVIRONMENT_PREFIX) and name not in known)


def load_settings(**overrides: Any) -> Settings:
    """Read the settings.

    Raises:
        SettingsError: one of them cannot be used; the text names it and says what would be right.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError("; ".join(map(_explain, error.errors()))) from None
    except ValueError as error:  # tocsin.toml is no TOML
        raise SettingsError(f"{SETTINGS_FILE}: {error}") from None


def _explain(item: ErrorDetails) -> str:
    location, message = item["loc"], item["msg"].removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":  # of variables, those that set nothing are passed over
        return f"{SETTINGS_FILE}: there is no setting {location[0]}"
    if not location:
        return ENVIRONMENT_PREFIX + message
    return f"{ENVIRONMENT_PREFIX}{str(location[0]).upper()}: {message}"
