# python verify.py JWKS_URL ISSUER AUDIENCE SCOPE < token
import json, sys, urllib.parse, urllib.request
import jwt

jwks_url, issuer, audience, scope = sys.argv[1:]
keys = jwt.PyJWKClient(jwks_url)  # once a process: it keeps the set and notices new keys

def verify(token, typ, **rules):
    header = jwt.get_unverified_header(token)
    if header.get("typ") != typ:
        raise jwt.InvalidTokenError(f"not of the kind {typ}")
    claims = jwt.decode(token, keys.get_signing_key_from_jwt(token), ["ES256", "EdDSA", "RS256"], issuer=issuer, **rules)
    return claims, header["kid"]

def read_revoked():
    """What was revoked before it expired: read this every five seconds, not for each token."""
    with urllib.request.urlopen(urllib.parse.urljoin(jwks_url, "revocations"), timeout=5) as answer:
        listed, _ = verify(answer.read().decode(), "revocations+jwt", options={"require": ["iss", "exp"]})
    kinds = ("keys", "clients", "generations", "families", "tokens", "signing_keys")
    short = listed.get("short", "")
    return {id for kind in kinds for id in listed[kind]} | {short[i : i + 7] for i in range(0, len(short), 7)}

try:
    required = {"require": ["iss", "aud", "exp", "sub", "jti"]}
    claims, kid = verify(sys.stdin.read().strip(), "at+jwt", audience=audience, options=required)
    revoked = read_revoked()
    names = [claims.get(name) for name in ("sub", "client_id", "gen", "fam", "jti")] + [kid]
    if any(id in revoked or id[4:11] in revoked for id in names if id):
        raise jwt.InvalidTokenError("the token was revoked")
    if scope not in str(claims.get("scope")).split(" "):
        raise jwt.InvalidTokenError(f"the token lacks the scope {scope}")
    print(json.dumps(claims))
except (jwt.PyJWTError, OSError) as refusal:
    sys.exit(str(refusal))
