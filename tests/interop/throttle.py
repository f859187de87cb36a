"""A slow link: `throttle.py PORT TARGET BYTES_A_SECOND` passes connections on, each direction at that rate at most.

Its buffers are small, so that who sends too fast has to wait.
"""

import socket
import sys
import threading
import time

CHUNK = 32 * 1024
SOCKET_BUFFER = 128 * 1024


def pass_on(source, sink, rate):
    free_at = time.monotonic()
    try:
        while chunk := source.recv(CHUNK):
            free_at = max(free_at, time.monotonic() - 0.01) + len(chunk) / rate
            pause = free_at - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            sink.sendall(chunk)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def small(link):
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER)


def main():
    port, target, rate = (int(word) for word in sys.argv[1:])
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    small(listener)
    listener.bind(("127.0.0.1", port))
    listener.listen()
    while True:
        near, _ = listener.accept()
        far = socket.socket()
        small(far)
        try:
            far.connect(("127.0.0.1", target))
        except OSError:
            near.close()
            continue
        for link in (near, far):
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=pass_on, args=(source, sink, rate), daemon=True).start()


if __name__ == "__main__":
    main()
