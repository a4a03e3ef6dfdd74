"""
Fetches a page over HTTP/3 and nothing else by curl, for the end-to-end tests of the gateway: Debian's has no HTTP/3, that
of curl_cffi has, by ngtcp2 and BoringSSL.

    fetch.py --addr HOST:PORT --sni NAME --path PATH [--alt-svc FILE]

With a file it begins as curl would, over TCP, keeps there what sites say of their HTTP/3 (Alt-Svc), and goes where that says.
Prints the answer's body.
"""

import argparse
import io

from curl_cffi import Curl, CurlHttpVersion, CurlOpt

TIMEOUT_MS = 60_000

# CURLALTSVC_H1 and CURLALTSVC_H3 of curl.h: whose word counts, and where it may lead.
ALT_SVC_H1 = 1 << 3
ALT_SVC_H3 = 1 << 5


def main(options):
    host, port = options.addr.rsplit(":", 1)
    body = io.BytesIO()
    curl = Curl()
    if options.alt_svc is None:
        version = {CurlOpt.HTTP_VERSION: CurlHttpVersion.V3ONLY}
    else:
        version = {CurlOpt.ALTSVC: options.alt_svc.encode(), CurlOpt.ALTSVC_CTRL: ALT_SVC_H1 | ALT_SVC_H3}
    for option, value in {
        CurlOpt.URL: f"https://{options.sni}:{port}{options.path}".encode(),
        CurlOpt.RESOLVE: [f"{options.sni}:{port}:{host}".encode()],
        CurlOpt.SSL_VERIFYPEER: 0,
        CurlOpt.SSL_VERIFYHOST: 0,
        CurlOpt.TIMEOUT_MS: TIMEOUT_MS,
        CurlOpt.WRITEDATA: body,
        **version,
    }.items():
        curl.setopt(option, value)
    curl.perform()
    # What it has learned is written when it ends.
    curl.close()
    print(body.getvalue().decode())


parser = argparse.ArgumentParser()
for option in ["--addr", "--sni", "--path"]:
    parser.add_argument(option, required=True)
parser.add_argument("--alt-svc")
main(parser.parse_args())
