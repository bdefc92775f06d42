#!/bin/bash
# release/container.sh [--own-base]: builds the image `checkout` of deploy/Containerfile from dist/checkout (./dev binary
# first), walks the whole road with it (an order, money, a callback, a restart over the same volume, rights, health, the
# end) and says how large it is. It needs podman or docker, and port 8000 free on this machine, for a minute.
#
# --own-base: no registry can be reached, so debian:bookworm-slim is made from Debian's archive first (root, debootstrap).
# ENGINE=docker, or ENGINE="podman --storage-driver vfs"; BUILD_OPTIONS="--isolation chroot" and
# RUN_OPTIONS="--cgroups=disabled --ulimit nofile=1024:1024" are for machines that are containers themselves.
set -euo pipefail
cd "$(dirname "$0")/.."

base=docker.io/library/debian:bookworm-slim
read -ra engine <<<"${ENGINE:-$(command -v podman docker | head -1)}"
read -ra options <<<"${BUILD_OPTIONS:-}"
if [ "${#engine[@]}" = 0 ]; then echo "There is neither podman nor docker." >&2; exit 1; fi
if [ ! -x dist/checkout ]; then echo "There is no dist/checkout: ./dev binary first." >&2; exit 1; fi
case ${engine[0]##*/} in podman) options+=(--format docker) ;; esac  # its own format knows no health check

if [ "${1:-}" = --own-base ]; then
  root=$(mktemp -d)
  trap 'rm -rf "$root"' EXIT
  debootstrap --variant=minbase bookworm "$root" >"$root.log" || { tail -5 "$root.log" >&2; exit 1; }
  rm -rf "$root.log" "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}/*
  chmod 755 "$root"  # mktemp lets nobody else in, and the image would not either
  tar -C "$root" -cf - . | "${engine[@]}" import - "$base"
fi

# Nothing but the program is handed to the builder.
context=build/container
mkdir -p "$context" && cp dist/checkout "$context/checkout"
"${engine[@]}" build "${options[@]}" -f deploy/Containerfile -t checkout "$context"

CHECKOUT_TEST_REQUIRE=container CHECKOUT_TEST_IMAGE=checkout CHECKOUT_TEST_ENGINE=${engine[*]} \
  CHECKOUT_TEST_RUN=${RUN_OPTIONS:-} ./dev test -q tests/binary/test_container.py
size=$("${engine[@]}" image inspect --format '{{.Size}}' checkout)
of_base=$("${engine[@]}" image inspect --format '{{.Size}}' "$base")
echo "checkout: $((size / 1000000)) MB, of which $base is $((of_base / 1000000)) MB"
