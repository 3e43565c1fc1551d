"""Signs claims as a user pool does: its private key in argv[1], header and claims as JSON lines on standard input."""

import base64
import sys

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding


def part(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


with open(sys.argv[1], "rb") as pem:
    key = serialization.load_pem_private_key(pem.read(), password=None)
signed = ".".join(part(line.strip()) for line in sys.stdin.buffer.read().splitlines())
print(f"{signed}.{part(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}", end="")
