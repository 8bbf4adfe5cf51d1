"""Signing in, staying signed in, and signing out by HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import OAuth2PasswordRequestForm

from app.core.bodies import JSONRoute
from app.core.config import Settings
from app.core.errors import problem_responses
from app.core.security import (
    ACCESS_COOKIE,
    DESCRIBED_WAYS_IN,
    SIGN_IN_PATH,
    NotSignedIn,
    OriginNotAllowed,
    TokenExpired,
    authenticate,
    require_allowed_origin,
)
from app.core.services import service
from app.modules.auth.errors import AccountDisabled, BadCredentials, RefreshTokenInvalid, RefreshTokenReused
from app.modules.auth.schemas import Credentials, RefreshTokenInput, SignIn, TokenPair
from app.modules.auth.service import AuthService
from app.modules.care_team.service import CareTeamService
from app.modules.users.schemas import Me

API_PREFIX = "/api/v1"
REFRESH_COOKIE = "refresh_token"

router = APIRouter(prefix=API_PREFIX, tags=["signing in"], route_class=JSONRoute)

Auth = Annotated[AuthService, service(AuthService)]
CareTeam = Annotated[CareTeamService, service(CareTeamService)]
CurrentSettings = Annotated[Settings, service(Settings)]


@router.post(
    SIGN_IN_PATH.removeprefix(API_PREFIX),
    summary="Sign in for a pair of tokens",
    responses=problem_responses(BadCredentials, AccountDisabled),
)
async def sign_in_for_tokens(
    form: Annotated[OAuth2PasswordRequestForm, Depends()], response: Response, auth: Auth
) -> TokenPair:
    response.headers["Cache-Control"] = "no-store"
    return TokenPair.of(await auth.sign_in(form.username, form.password))


@router.post(
    "/login/cookie",
    summary="Sign in for cookies, which a browser then sends by itself",
    responses=problem_responses(BadCredentials, AccountDisabled, OriginNotAllowed),
)
async def sign_in_for_cookies(
    body: Credentials, request: Request, response: Response, auth: Auth, care_team: CareTeam, settings: CurrentSettings
) -> Me:
    # A page of somebody else must not sign its visitors in under an account of its own.
    if "origin" in request.headers:
        require_allowed_origin(request, settings)
    sign_in = await auth.sign_in(body.email, body.password)
    return await _answer_with_cookies(sign_in, request, response, care_team, settings)


@router.post(
    "/refresh-token",
    summary="Turn a refresh token into a new pair",
    description="A refresh token is good for one use. With it in the body the answer is a pair of tokens; "
    "with it in the cookie the answer sets both cookies again.",
    responses=problem_responses(
        NotSignedIn, RefreshTokenInvalid, RefreshTokenReused, AccountDisabled, OriginNotAllowed
    ),
)
async def refresh(
    request: Request,
    response: Response,
    auth: Auth,
    care_team: CareTeam,
    settings: CurrentSettings,
    body: RefreshTokenInput | None = None,
) -> TokenPair | Me:
    if body is not None:
        response.headers["Cache-Control"] = "no-store"
        return TokenPair.of(await auth.refresh(body.refresh_token))
    if not (token := request.cookies.get(REFRESH_COOKIE)):
        raise NotSignedIn("a refresh token is needed, in the body or as a cookie")
    require_allowed_origin(request, settings)
    return await _answer_with_cookies(await auth.refresh(token), request, response, care_team, settings)


@router.post(
    "/logout",
    summary="Sign out",
    description="Ends the sign-in and its open streams, and clears the cookies. "
    "The sign-in is that of the token that the request carries; a refresh token in the body does as well.",
    status_code=204,
    responses=problem_responses(NotSignedIn, TokenExpired, OriginNotAllowed),
    openapi_extra=DESCRIBED_WAYS_IN,
)
async def sign_out(
    request: Request, auth: Auth, settings: CurrentSettings, body: RefreshTokenInput | None = None
) -> Response:
    if body is not None:
        await auth.sign_out_with(body.refresh_token)
    elif "authorization" in request.headers or REFRESH_COOKIE not in request.cookies:
        await auth.sign_out(await authenticate(request))
    else:
        # The refresh token outlives the access token: a browser that has slept can still sign out.
        require_allowed_origin(request, settings)
        await auth.sign_out_with(request.cookies[REFRESH_COOKIE])
    response = Response(status_code=204)
    response.delete_cookie(ACCESS_COOKIE, path="/", httponly=True, samesite="lax")
    response.delete_cookie(REFRESH_COOKIE, path=API_PREFIX, httponly=True, samesite="strict")
    return response


async def _answer_with_cookies(
    sign_in: SignIn, request: Request, response: Response, care_team: CareTeamService, settings: Settings
) -> Me:
    secure = settings.env == "production" or request.url.scheme == "https"
    response.headers["Cache-Control"] = "no-store"
    response.set_cookie(
        ACCESS_COOKIE,
        sign_in.access_token,
        max_age=settings.access_token_seconds,
        path="/",
        httponly=True,
        samesite="lax",
        secure=secure,
    )
    response.set_cookie(
        REFRESH_COOKIE,
        sign_in.refresh_token,
        max_age=settings.refresh_token_seconds,
        path=API_PREFIX,
        httponly=True,
        samesite="strict",
        secure=secure,
    )
    return Me.of(sign_in.principal, await care_team.patients_of(sign_in.principal.user_id))
