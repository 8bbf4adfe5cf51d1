"""Who signs in, where, and what it takes."""

from __future__ import annotations

from typing import Any

from tests.servers import RunningServer

FORM, COOKIE = "/api/v1/login/access-token", "/api/v1/login/cookie"
REFRESH, LOGOUT, ME = "/api/v1/refresh-token", "/api/v1/logout", "/api/v1/users/me"
EMAIL, PASSWORD = "nurse@example.org", "correct horse battery"
LISTED = "https://ward.example.org"
FOREIGN = ("https://elsewhere.example.org", "https://ward.example.org.elsewhere.example.org", "null", "http://[", "")
KEY = "a key that only the tests know, and long enough for HS512 as well"


async def sign_in(server: RunningServer) -> dict[str, Any]:
    """A new pair of tokens of the nurse."""
    response = await server.http.post(FORM, data={"username": EMAIL, "password": PASSWORD})
    assert response.status_code == 200, response.text
    pair: dict[str, Any] = response.json()
    return pair


def bearer(pair: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {pair['access_token']}"}
