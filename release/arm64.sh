#!/bin/bash
# release/arm64.sh: builds the one-file program for 64-bit ARM on an x86-64 Debian, as dist/checkout-arm64: it asks for
# glibc 2.36 (Debian 12). A bare Debian 12 of that processor lies in build/arm64, with the locked packages as wheels for
# it; nothing is compiled. qemu translates its programs and proot leads them to their files, so that neither binfmt nor
# a container is needed. Afterwards tests walk the road and the demo with the program, translated in the same way.
# Needs root and: apt install debootstrap qemu-user-static proot. A quarter of an hour on a machine with nothing else to do.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$PWD/build/arm64
root=$work/bookworm
packages=python3,libpython3.11,binutils
mkdir -p "$work" dist

# Only unpacked, as what is not run needs no setting up; debootstrap checks the signatures.
if [ ! -e "$root/made" ]; then
  rm -rf "$root"
  debootstrap --arch=arm64 --foreign --variant=minbase --include="$packages" bookworm "$root"
  for package in "$root"/var/cache/apt/archives/*.deb; do dpkg-deb --extract "$package" "$root"; done
  # The shell's own look at who may read a file goes past proot. The first library has no name: it is the kernel's.
  printf '#!/bin/sh\n/lib/ld-linux-aarch64.so.1 --list "$1" | sed "/^[[:space:]]*(0x/d"\n' >"$root/usr/bin/ldd"
  touch "$root/made"
fi

./dev test --version >/dev/null # .venv, htmx and the catalogues
platforms=(--platform manylinux2014_aarch64)
for minor in {17..36}; do platforms+=(--platform "manylinux_2_${minor}_aarch64"); done
wanted='pyinstaller|pyinstaller-hooks-contrib|altgraph|setuptools|packaging|psycopg|psycopg-binary|psycopg-pool|typing-extensions'
awk -v names="^($wanted)==" '/^[a-z]/ { wanted = $0 ~ names } wanted && !/^ +#/' requirements-dev.txt >"$work/build.txt"
rm -rf "$root/opt/site"
.venv/bin/python -m pip install -q --target "$root/opt/site" "${platforms[@]}" --python-version 3.11 --implementation cp \
  --abi cp311 --abi abi3 --abi none --only-binary=:all: --no-deps --require-hashes -r requirements.txt -r "$work/build.txt"

rm -rf "$root/root/project"
mkdir -p "$root/root/project"
tar --exclude=./build --exclude=./dist --exclude=./.venv --exclude=./.git -cf - . | tar -xf - -C "$root/root/project"
translated=(proot -q qemu-aarch64-static -r "$root" -b /proc -b /dev)
"${translated[@]}" -w /root/project /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 PYTHONPATH=/opt/site \
  python3 -m PyInstaller --noconfirm --log-level ERROR release/checkout.spec
install -m 0755 "$root/root/project/dist/checkout" dist/checkout-arm64
ls -l dist/checkout-arm64

# The same program under its own name for the tests, translated. proot hears no signals; the program must.
install -m 0755 dist/checkout-arm64 "$root/usr/bin/checkout"
cat >"$work/checkout" <<PROGRAM
#!/bin/sh
${translated[*]@Q} -b /tmp -b /etc/resolv.conf -b "\$PWD" -w "\$PWD" /usr/bin/checkout "\$@" &
translator=\$!
trap 'kill -TERM \$(cat /proc/\$translator/task/\$translator/children)' TERM INT
wait \$translator
status=\$?
if kill -0 \$translator 2>/dev/null; then
  wait \$translator
  status=\$?
fi
exit \$status
PROGRAM
chmod 0755 "$work/checkout"
CHECKOUT_TEST_PROGRAM=$work/checkout ./dev test tests/binary/test_road.py tests/binary/test_demo.py -k 'not Debian and not glibc'
