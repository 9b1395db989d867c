"""Debian packages: downloaded by apt, which checks their signatures, and unpacked."""

import fnmatch
import os
import shutil
from pathlib import Path

from assembly.running import NO_DOWNLOAD, Failed, run


def unpack_packages(names: list[str], root: Path, cache: Path) -> None:
    """Unpack these packages below `root`, as far as nothing of them is run."""
    for name, archive in _download(names, cache).items():
        run(["dpkg-deb", "--extract", archive, root])
        _note_package(name, archive, root)


def _download(names: list[str], cache: Path) -> dict[str, Path]:
    """The archive of each package. Those that the cache has are not asked for."""
    folder = cache / "debian"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = _candidates(names)
    if missing := [n for n, file in wanted.items() if not (folder / file).exists()]:
        # apt's own user may not write into our folder.
        sandbox = "APT::Sandbox::User=root"
        command = ["apt-get", "download", "-qq", "-o", sandbox, *missing]
        run(command, folder=folder, code=NO_DOWNLOAD)
    return {name: folder / file for name, file in wanted.items()}


def _candidates(names: list[str]) -> dict[str, str]:
    """The file name of the version that apt would install, by package."""
    command = ["apt-get", "download", "--print-uris", "-qq", *names]
    found = {}
    for line in run(command, code=NO_DOWNLOAD).splitlines():
        # 'URL' NAME_VERSION_ARCHITECTURE.deb BYTES DIGEST
        file = line.split()[1]
        found[file.partition("_")[0]] = file
    if absent := set(names) - found.keys():
        raise Failed(f"apt knows no {', '.join(sorted(absent))}", NO_DOWNLOAD)
    return dict(sorted(found.items()))


def _note_package(name: str, archive: Path, root: Path) -> None:
    """Leave the package's record where scanners look for it when there is no dpkg."""
    folder = root / "var/lib/dpkg/status.d"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(run(["dpkg-deb", "--field", archive]))


def gather_certificates(root: Path) -> None:
    """What ca-certificates does when it is installed: one file of all authorities."""
    authorities = sorted((root / "usr/share/ca-certificates/mozilla").glob("*.crt"))
    if not authorities:
        raise Failed("ca-certificates holds no certificates")
    bundle = root / "etc/ssl/certs/ca-certificates.crt"
    bundle.parent.mkdir(parents=True, exist_ok=True)
    texts = (path.read_text().rstrip() for path in authorities)
    bundle.write_text("\n".join(texts) + "\n")
    # Where OpenSSL looks by itself.
    openssl = root / "usr/lib/ssl"
    openssl.mkdir(parents=True, exist_ok=True)
    for name, target in {
        "cert.pem": "/etc/ssl/certs/ca-certificates.crt",
        "certs": "/etc/ssl/certs",
    }.items():
        (openssl / name).unlink(missing_ok=True)
        (openssl / name).symlink_to(target)


def drop(patterns: list[str], root: Path) -> None:
    """Remove every path that a pattern matches, and folders that are empty then."""
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = Path(folder, name)
            inside = str(path.relative_to(root))
            if any(fnmatch.fnmatchcase(inside, pattern) for pattern in patterns):
                remove(path)
    for folder, _, _ in os.walk(root, topdown=False):
        if folder != str(root) and not os.listdir(folder):
            os.rmdir(folder)


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
