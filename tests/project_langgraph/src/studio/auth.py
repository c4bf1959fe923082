"""Who may do what."""

from typing import Any

from langgraph_sdk import Auth

auth = Auth()


@auth.authenticate
async def authenticate(
    authorization: str | None, headers: dict[bytes, bytes], method: str, path: str
) -> dict[str, Any]:
    if authorization != "Bearer sesame":
        raise Auth.exceptions.HTTPException(status_code=401, detail="say the word", headers={"X-Asked": "word"})
    return {
        "identity": "ana",
        "permissions": ["threads:read"],
        "asked": f"{method} {path}",
        "via": headers[b"x-via"].decode(),
    }


@auth.on
async def deny(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> bool:
    return False


@auth.on.threads
async def own(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> dict[str, Any]:
    return {"owner": ctx.user.identity}


@auth.on.threads.create
async def mark(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> None:
    value.setdefault("metadata", {})["owner"] = ctx.user.identity


@auth.on.crons
async def crons(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> bool:
    return True


@auth.on.store
async def scope(ctx: Auth.types.AuthContext, value: dict[str, Any]) -> bool:
    value["namespace"] = (ctx.user.identity, *value["namespace"])
    return True
