# SPDX-License-Identifier: BSD-3-Clause
"""A link to Redis that can be cut, stalled, reset within a reply, and slow: a proxy between two unix sockets."""

import contextlib
import random
import selectors
import socket
import threading


class Proxy(threading.Thread):
    """`mode` says what becomes of new traffic: "pass"; "cut" hangs up at once; "stall" takes everything and never
    answers; "reset" passes a part of a reply on and hangs up; "trickle" passes replies on byte by byte."""

    def __init__(self, path, target):
        super().__init__(daemon=True)
        self.target, self.mode, self.struck = str(target), "pass", 0
        self.dice = random.Random(3)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.links = []

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.hang_up()

    def hang_up(self):
        """Cuts what is connected."""
        for link in self.links:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client, socket.socket(socket.AF_UNIX) as server, contextlib.suppress(OSError):
            self.links.append(client)
            if self.mode == "cut":
                self.struck += 1
                return
            server.connect(self.target)
            with selectors.DefaultSelector() as selector:
                selector.register(client, selectors.EVENT_READ)
                selector.register(server, selectors.EVENT_READ)
                while self.turn(selector, client, server):
                    pass

    def turn(self, selector, client, server):
        for key, _ in selector.select():
            data = key.fileobj.recv(1 << 16)
            if not data:
                return False
            if key.fileobj is client:
                server.sendall(data)
            elif not self.answer(client, data):
                return False
        return True

    def answer(self, client, data):
        if self.mode == "stall":
            self.struck += 1
        elif self.mode == "reset":
            self.struck += 1
            client.sendall(data[:self.dice.randrange(len(data))])
            return False
        elif self.mode == "trickle":
            self.struck += 1
            for at in range(len(data)):
                client.sendall(data[at:at + 1])
        else:
            client.sendall(data)
        return True
