"""The `serve` section: a bench that judges photos all day."""

import ipaddress
from typing import Literal, Self

from pydantic import Field, model_validator

from evalharness.config.base import FilePath, Frozen, Text

MIN_TOKEN = 16
"""Characters: shorter ones can be guessed."""


class ServeConfig(Frozen):
    """`serve`: where the bench listens, who may use it, and what it takes."""

    host: Text = Field("127.0.0.1", description="Address to listen on; any but the loopback needs a token.")
    port: int = Field(8321, ge=0, le=65535, description="0: any free one.")
    token: Text | None = Field(
        None, min_length=MIN_TOKEN, pattern=r"^[A-Za-z0-9._~-]+$", repr=False,
        description="What a person or program must know; default: none on the loopback, else one is made and printed.",
    )  # fmt: skip
    watch: FilePath | None = Field(None, description="Folder whose new photos are judged when they are whole.")
    keep: FilePath | None = Field(None, description="Folder that photos are kept in, each named by its SHA-256.")
    max_bytes: int = Field(32_000_000, ge=1_000, description="Of one photo.")
    max_queue: int = Field(8, ge=1, le=1000, description="Photos that wait or are judged; further ones are refused.")
    language: Literal["auto", "en", "ja"] = Field("auto", description="Of the page; `auto`: as the browser asks.")
    log: FilePath | None = Field(None, description="Folder of the log; default: `runs_dir`/serve/ and the run's name.")

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @model_validator(mode="after")
    def _folders_differ(self) -> Self:
        if self.watch is not None and self.watch in (self.keep, self.log):
            raise ValueError(f"serve.watch={self.watch} must not be serve.keep or serve.log: they are written to")
        return self
