# SPDX-License-Identifier: Apache-2.0
"""The service unreachable, gone, slow, talking nonsense; sockets and TLS."""

import os
import shutil
import socket
import ssl
import subprocess
import threading
import unittest

from azureml.core import Workspace
from azureml.core._slipway.connection import Connection, Http, normal_address
from azureml.core.model import Model
from azureml.exceptions import AuthenticationException, ServiceException, WebserviceException
from case import FolderCase, StubCase
from stub import Refusal


class FaultTest(StubCase):
    def test_unreachable(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            os.environ["SLIPWAY_ENDPOINT"] = f"http://127.0.0.1:{free.getsockname()[1]}"
        with self.fails(ServiceException, f"{os.environ['SLIPWAY_ENDPOINT']} cannot be reached: "):
            Workspace.get("lab")

    def test_addresses(self):
        self.assertEqual(normal_address("127.0.0.1:80/"), "http://127.0.0.1:80")
        for address in ("ftp://host", "http://", "http://host:0", "http://host:x", "file:///etc"):
            with self.subTest(address):
                with self.fails(ServiceException, "is no address of a service"):
                    Connection(address, "")

    def test_a_kept_connection_that_is_gone(self):
        self.register()
        self.stub.fail_next("cut")
        self.assertEqual(Model(self.ws, "m").version, 1)
        self.stub.fail_next("cut")
        self.assertEqual(self.register().version, 2)
        self.assertEqual(len(self.stub.models), 2)

    def test_cut_off_for_good(self):
        self.stub.fail_next("cut")
        self.stub.fail_next("cut")
        with self.fails(ServiceException, "cannot be reached"):
            Model(self.ws, "m")

    def test_nonsense(self):
        for answer in (
            b"nonsense\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{bad}",
            b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\xff",
        ):
            with self.subTest(answer):
                self.stub.fail_next(answer)
                self.stub.fail_next(answer)
                with self.assertRaises(ServiceException):
                    Model(self.ws, "m")
                self.stub._faults.clear()

    def test_failures_of_the_server(self):
        self.stub.fail_next(b"HTTP/1.1 502 Bad\r\nContent-Length: 4\r\n\r\noops")
        with self.assertRaises(WebserviceException) as caught:
            Model(self.ws, "m")
        self.assertEqual((str(caught.exception), caught.exception.status_code), ("oops", 502))
        self.stub.fail_next(Refusal(507, "State.DiskFull", "no room", "free space"))
        with self.assertRaises(WebserviceException) as caught:
            Model.list(self.ws)
        self.assertEqual(str(caught.exception), "no room\nCode: State.DiskFull\nFix: free space")
        self.assertEqual(caught.exception.fix, "free space")

    def test_tokens(self):
        for token in ("wrong", ""):
            os.environ["SLIPWAY_TOKEN"] = token
            with self.fails(AuthenticationException, "Code: Auth.Required"):
                Workspace.get("lab")

    def test_slow(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            http = Http(f"127.0.0.1:{silent.getsockname()[1]}", timeout=0.2)
            with self.fails(ServiceException, "did not answer in time"):
                http.send("GET", "/", {})

    def test_names_are_part_of_one_segment(self):
        with self.assertRaises(WebserviceException):
            Model(self.ws, "../../images/x")
        self.assertIn("..%2F..%2Fimages%2Fx", self.stub.requests[-1][1])

    def test_threads(self):
        self.register()
        found, threads = [], []
        for _ in range(8):
            threads.append(
                threading.Thread(target=lambda: found.append(Model(self.ws, "m").version))
            )
            threads[-1].start()
        for thread in threads:
            thread.join()
        self.assertEqual(found, [1] * 8)


class SocketTest(FolderCase):
    def answer_once(self, server):
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    def test_unix(self):
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("s")
            server.listen()
            thread = threading.Thread(target=self.answer_once, args=(server,))
            thread.start()
            self.assertEqual(Connection("unix:s", "t").get("/x"), {})
            thread.join()

    @unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
    def test_tls_checks_the_certificate(self):
        subprocess.run(
            [
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-keyout",
                "key",
                "-out",
                "cert",
                "-days",
                "2",
                "-subj",
                "/CN=127.0.0.1",
                "-addext",
                "subjectAltName=IP:127.0.0.1",
            ],
            check=True,
            stderr=subprocess.DEVNULL,
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain("cert", "key")
        for trusted in (False, True):
            with self.subTest(trusted), socket.socket() as plain:
                plain.bind(("127.0.0.1", 0))
                plain.listen()
                server = context.wrap_socket(plain, server_side=True)
                thread = threading.Thread(target=self.quietly, args=(server,), daemon=True)
                thread.start()
                os.environ["SSL_CERT_FILE"] = os.path.abspath("cert") if trusted else "/dev/null"
                connection = Connection(f"https://127.0.0.1:{server.getsockname()[1]}", "t")
                if trusted:
                    self.assertEqual(connection.get("/x"), {})
                else:
                    with self.fails(ServiceException, "CERTIFICATE_VERIFY_FAILED"):
                        connection.get("/x")
                thread.join()
                server.close()

    def quietly(self, server):
        try:
            self.answer_once(server)
        except OSError:
            pass


if __name__ == "__main__":
    unittest.main()
