"""Codes of an authenticator application (RFC 6238), to log in with. Standard library only."""

import base64
import hashlib
import hmac
import struct
import time

STEP_SECONDS = 30


def code(secret, steps=0):
    """The code of now, or of `steps` steps from now. A server takes one step either way, and each code once."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    counter = int(time.time()) // STEP_SECONDS + steps
    mac = hmac.new(key, struct.pack(">Q", counter), hashlib.sha1).digest()
    at = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


def wait_for_middle_of_step():
    """So that the step does not end between making codes and giving them."""
    while time.time() % STEP_SECONDS > STEP_SECONDS - 8:
        time.sleep(0.5)
