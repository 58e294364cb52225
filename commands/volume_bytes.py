"""The first bytes of a volume in Ceph, past Cinder; sent to a volume service's container, and run there by its Python.

``python3 - FILE write VOLUME TEXT`` writes them, and prints ``written``; ``python3 - FILE read VOLUME`` prints them,
which are a text. FILE is Cinder's configuration, whose login it takes. Where volumes are elsewhere, it does nothing.
"""

from __future__ import annotations

import configparser
import sys

BACKEND = "rbd"
SECONDS = "8"
"""How long Ceph may take to answer."""
BLOCK_BYTES = 4096


def main(file: str, action: str, volume: str, text: str = "") -> None:
    """Do what is wanted, and fail by an exception."""
    settings = configparser.ConfigParser(interpolation=None, strict=False)
    settings.read(file)
    if BACKEND not in settings.get("DEFAULT", "enabled_backends", fallback="").split(","):
        return
    # Only with volumes in Ceph are its libraries there.
    import rados
    import rbd

    told = settings[BACKEND]
    user = told["rbd_user"]
    options = {"client_mount_timeout": SECONDS, "keyring": f"/etc/ceph/ceph.client.{user}.keyring"}
    with (
        rados.Rados(conffile=told["rbd_ceph_conf"], name=f"client.{user}", conf=options) as cluster,
        cluster.open_ioctx(told["rbd_pool"]) as pool,
        rbd.Image(pool, f"volume-{volume}") as image,
    ):
        if action == "write":
            image.write(text.encode().ljust(BLOCK_BYTES, b"\0"), 0)
            image.flush()
            print("written")
        else:
            print(image.read(0, BLOCK_BYTES).rstrip(b"\0").decode(errors="replace"))


if __name__ == "__main__":
    main(*sys.argv[1:])
