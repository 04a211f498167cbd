#!/usr/bin/env python3
"""The steps of exchange.sh that are no work for a shell.

measure.py forge                        keys on standard input, the same with a wrong tag and a right checksum on standard output
measure.py first-answer ADDRESS KEYS RUNS -- COMMAND…   milliseconds from starting COMMAND to its first token, one run a line
measure.py create-body ADDRESS          (TOKEN in the environment) makes an organization and a resource, prints the body of a create
"""
import http.client, json, os, socket, subprocess, sys, time, zlib

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def forge():
    for key in sys.stdin:
        tagged = key.strip()[:-6]
        last = "b" if tagged[-1] == "a" else "a"
        wrong = tagged[:-1] + last
        crc = zlib.crc32(wrong.encode())
        print(wrong + "".join(BASE62[crc // 62**place % 62] for place in range(5, -1, -1)))


def answers(address, key):
    host, port = address.split(":")
    head = f"POST /v1/token HTTP/1.1\r\nHost: {address}\r\nX-API-Key: {key}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            connection.sendall(head.encode())
            return connection.recv(15).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def first_answer(address, keys, runs, command):
    with open(keys) as lines:
        key = lines.readline().strip()
    for _ in range(int(runs)):
        start = time.monotonic()
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not answers(address, key):
            if server.poll() is not None or time.monotonic() - start > 120:
                sys.exit(f"no token from {' '.join(command)}")
            time.sleep(0.0005)
        print(f"{(time.monotonic() - start) * 1000:.1f}", flush=True)
        server.terminate()
        server.wait()


def create_body(address):
    def post(path, body):
        connection = http.client.HTTPConnection(address, timeout=10)
        headers = {"Authorization": "Bearer " + os.environ["TOKEN"], "Content-Type": "application/json"}
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 201:
            sys.exit(f"POST {path}: {answer.status} {text.decode()}")
        return json.loads(text)

    resource = f"https://bench.example.com/{time.time_ns()}"
    organization = post("/v1/organizations", {"name": "bench"})["id"]
    post("/v1/resources", {"identifier": resource, "permissions": [{"name": "read:bench"}]})
    permissions = [{"resource": resource, "scopes": ["read:bench"]}]
    print(json.dumps({"name": "bench", "organization_id": organization, "permissions": permissions}))


match sys.argv[1:]:
    case ["forge"]: forge()
    case ["first-answer", address, keys, runs, "--", *command]: first_answer(address, keys, runs, command)
    case ["create-body", address]: create_body(address)
    case _: sys.exit(__doc__)
