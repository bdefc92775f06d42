#!/bin/bash
# release/oldest.sh [SUITE]: builds the one-file program in a bare old Debian (bullseye), so that it runs on older
# systems too: dist/checkout then asks for glibc 2.30. That Debian has no Python 3.11, so it is compiled there first,
# with a newer SQLite, from the sources of Debian 12 and 13, whose signatures apt checks.
# Needs root, debootstrap and xz; about ten minutes, and what is in build/oldest already is not made again.
set -euo pipefail
cd "$(dirname "$0")/.."

suite=${1:-bullseye}
work=$PWD/build/oldest
root=$work/$suite
mkdir -p "$work"/sources/lists/partial

# What leads out of this machine leads out of there too: mirrors, proxies and the authorities that are believed here.
way_out=(PIP_CERT=/etc/ssl/certs/ca-certificates.crt SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt)
for name in CHECKOUT_NPM_REGISTRY PIP_INDEX_URL PIP_EXTRA_INDEX_URL http_proxy https_proxy HTTP_PROXY HTTPS_PROXY no_proxy NO_PROXY; do
  if [ -n "${!name:-}" ]; then way_out+=("$name=${!name}"); fi
done

inside() {
  chroot "$root" env -i "${way_out[@]}" PATH=/opt/py/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive \
    LC_ALL=C.UTF-8 bash -euo pipefail -c "$1"
}

if [ ! -e "$root/made" ]; then
  packages=gcc,make,libc6-dev,tcl,zlib1g-dev,libssl-dev,libffi-dev,libbz2-dev,liblzma-dev,binutils,ca-certificates,xz-utils
  debootstrap --variant=minbase --include="$packages" "$suite" "$root"
  touch "$root/made"
fi

cd "$work/sources"
if ! compgen -G 'python3.11_*.orig.tar.gz' >/dev/null || ! compgen -G 'sqlite3_*.orig.tar.xz' >/dev/null; then
  cat >only.sources <<'SOURCES'
Types: deb-src
URIs: http://deb.debian.org/debian
Suites: bookworm trixie
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES
  options=(-o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$PWD" -o Dir::State::Lists="$PWD/lists")
  options+=(-o APT::Sandbox::User=root)
  apt-get "${options[@]}" update
  apt-get "${options[@]}" source --download-only python3.11 sqlite3
fi
cd - >/dev/null

if [ ! -x "$root/opt/py/bin/python3.11" ]; then
  mkdir -p "$root/root/sources"
  tar -xf "$work"/sources/python3.11_*.orig.tar.gz -C "$root/root/sources"
  tar -xf "$(compgen -G "$work/sources/sqlite3_*.orig.tar.xz" | tail -1)" -C "$root/root/sources"
  inside 'cd /root/sources/sqlite3-*
    ./configure --prefix=/opt/py --disable-tcl --disable-readline
    make -j"$(nproc)" libsqlite3.la sqlite3.h || make -j"$(nproc)"
    make install-includes install-lib || make install'
  inside 'cd /root/sources/Python-3.11*
    ./configure --prefix=/opt/py --enable-shared CPPFLAGS=-I/opt/py/include LDFLAGS="-L/opt/py/lib -Wl,-rpath,/opt/py/lib"
    make -j"$(nproc)"
    make altinstall'
fi
inside 'python3.11 -c "import ssl, ctypes, lzma, bz2, sqlite3; print(sqlite3.sqlite_version)"'

if [ -e /etc/ssl/certs/ca-certificates.crt ]; then cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"; fi

rm -rf "$root/root/project"
mkdir "$root/root/project"
tar --exclude=./build --exclude=./dist --exclude=./.venv --exclude=./.git -cf - . | tar -xf - -C "$root/root/project"
mount -t proc proc "$root/proc"
trap 'umount "$root/proc"' EXIT
inside 'cd /root/project
  python3.11 -m pip install -q --root-user-action=ignore --no-deps --require-hashes -r requirements.txt
  awk "/^[a-z]/ { wanted = /^(pyinstaller|pyinstaller-hooks-contrib|altgraph|setuptools|packaging|psycopg|psycopg-binary|psycopg-pool|typing-extensions)==/ }
    wanted && !/^ +#/" requirements-dev.txt >/root/build.txt
  python3.11 -m pip install -q --root-user-action=ignore --no-deps --require-hashes -r /root/build.txt
  python3.11 hatch_build.py
  compgen -G "static/vendor/htmx-*.js" >/dev/null || { echo "No release without htmx: many buyers do not reach its CDN." >&2; exit 1; }
  python3.11 -m release.binary'
install -D -m 0755 "$root/root/project/dist/checkout" dist/checkout
