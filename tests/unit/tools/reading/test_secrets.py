"""What is held back, by its name or its form, and what is not."""

from __future__ import annotations

import pytest

from gip_nb.tools.reading.secrets import (
    HIDDEN,
    is_secret_column,
    is_secret_name,
    is_secret_text,
    without_secrets,
)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "api_key",
            "API_KEY",
            "apiKey",
            "apikey",
            "key",
            "keys",
            "ssh_key",
            "openaiKey",
            "token",
            "my_token",
        ),
        *("ACCESS_TOKEN", "tokens", "password", "db_passwd", "DBPassword", "pwd", "secret", "client_secrets"),
        *("credentials", "auth", "bearer", "passphrase", "key2", "KEY_1"),
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["monkey", "keyboard", "df", "author", "turkey", "data", "opinion", "prices"]
)
def test_names_of_other_things(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    "text",
    [
        "sk-abcdefghijklmnop",
        "here: sk-proj-abc_DEF-123456 (mine)",
        "sk_live_abcdefghijklmnop",
        "ghp_abcdefghijklmnopqrst",
        "github_pat_abcdefghijkl",
        "hf_abcdefghijklmnop",
        "xoxb-123456789-abc",
        "AKIAABCDEFGHIJKLMNOP",
        "AIzaSyabcdefghijklmnopqrstuvw",
        "eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.abc",
        "-----BEGIN RSA PRIVATE KEY-----\nabc",
        "Authorization: Bearer abcdefghijklmnopqrst",
        "postgres://joe:hunter2@host/db",
    ],
)
def test_texts_that_are_secrets(text: str) -> None:
    assert is_secret_text(text)
    assert HIDDEN in without_secrets(text)
    assert not is_secret_text(without_secrets(text))


@pytest.mark.parametrize(
    "text",
    ["", "hello", "task-force", "risk-adjusted", "https://host/path", "a@b.com", "the bearer of news", "sk-"],
)
def test_texts_that_are_none(text: str) -> None:
    assert not is_secret_text(text)
    assert without_secrets(text) == text


def test_columns_of_words_are_shown() -> None:
    assert not is_secret_column("token")
    assert not is_secret_column("key")
    assert not is_secret_column(3)
    assert is_secret_column("user_password")
    assert is_secret_column("API key".replace(" ", "_"))


def test_a_hostile_text_is_searched_in_no_time() -> None:
    # Each start of a would-be token is looked at for a bounded length only.
    assert not is_secret_text("eyJ-" * 20_000)
    assert not is_secret_text("bearer " * 20_000)
    assert not is_secret_text("://" * 20_000)
