# python verify.py JWKS_URL ISSUER AUDIENCE SCOPE < token
import json, sys
import jwt

jwks_url, issuer, audience, scope = sys.argv[1:]
keys = jwt.PyJWKClient(jwks_url)  # once a process: it keeps the set and notices new keys
rules = {"issuer": issuer, "audience": audience, "options": {"require": ["iss", "aud", "exp", "sub"]}}
try:
    token = sys.stdin.read().strip()
    if jwt.get_unverified_header(token).get("typ") != "at+jwt":
        raise jwt.InvalidTokenError("not an access token")
    claims = jwt.decode(token, keys.get_signing_key_from_jwt(token), ["ES256", "EdDSA", "RS256"], **rules)
    if scope not in str(claims.get("scope")).split(" "):
        raise jwt.InvalidTokenError(f"the token lacks the scope {scope}")
    print(json.dumps(claims))
except jwt.PyJWTError as refusal:
    sys.exit(str(refusal))
