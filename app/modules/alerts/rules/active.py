"""The rules that are in force on this node, and putting others in their place."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import structlog

from app.core.clock import Clock
from app.core.metrics import Metrics
from app.modules.alerts.rules.book import RuleBook
from app.modules.alerts.rules.file import RulesFileError, load_rules, read_text
from app.modules.alerts.rules.possible import Sign

_log = structlog.get_logger(__name__)


class ActiveRules:
    """One whole book at any time. Whoever asks twice may get another one, and never a mixture.

    Attributes:
        book: the rules.
        digest: names the text that they were read from, so that nodes can be compared.
        loaded_at: since when they are in force.

    Raises:
        RulesFileError: the file cannot be used.
    """

    def __init__(self, path: Path | None, signs: Mapping[str, Sign], clock: Clock, metrics: Metrics) -> None:
        self._path = path
        self._signs = signs
        self._clock = clock
        self._metrics = metrics
        self._load()

    @property
    def source(self) -> str:
        """The file, or `default`."""
        return str(self._path) if self._path else "default"

    def reload(self) -> bool:
        """Read the file again; true where the rules are others now. With a mistake in it, all stays as it was.

        Raises:
            RulesFileError: the file cannot be used.
        """
        before = self.digest
        try:
            self._load()
        except RulesFileError as error:
            self._metrics.rules_reloads.labels(result="refused").inc()
            _log.error("rules.refused", source=self.source, mistakes=[str(it) for it in error.mistakes])
            raise
        is_changed = self.digest != before
        self._metrics.rules_reloads.labels(result="changed" if is_changed else "unchanged").inc()
        _log.info("rules.reloaded", source=self.source, digest=self.digest, changed=is_changed)
        return is_changed

    def _load(self) -> None:
        text = read_text(self._path)
        self.book: RuleBook = load_rules(self._path, signs=self._signs)
        self.digest: str = hashlib.sha256(text).hexdigest()[:16]
        self.loaded_at: datetime = self._clock.now()
