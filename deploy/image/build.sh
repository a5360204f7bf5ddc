#!/usr/bin/env bash
# Build the image with buildah, without a Docker engine: `deploy/image/build.sh [NAME]` (default localhost/frozenshop:dev).
# BASE names another base image; without it one is made of Debian 12 by debootstrap, once, from the mirror that apt uses.
set -euo pipefail
cd "$(dirname "$0")/../.."
name="${1:-localhost/frozenshop:dev}"
store=(--storage-driver "${STORAGE_DRIVER:-overlay}")

for tool in buildah podman runc debootstrap; do
  command -v "$tool" >/dev/null || missing="${missing:-}$tool "
done
if [ -n "${missing:-}" ]; then
  echo "Missing: $missing(Debian: apt-get install --no-install-recommends buildah podman runc debootstrap)" >&2
  exit 2
fi

base="${BASE:-}"
if [ -z "$base" ]; then
  base=localhost/frozenshop-base:bookworm
  if ! buildah "${store[@]}" inspect --type image "$base" >/dev/null 2>&1; then
    mirror="$(grep -rhoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null | head -1 | tr -d " " || true)"
    root="$(mktemp -d)"
    trap 'rm -rf "$root"' EXIT
    debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$root/fs" ${mirror:+"$mirror"} >/dev/null
    rm -rf "$root"/fs/var/cache/apt/* "$root"/fs/var/lib/apt/lists/*
    cp /etc/apt/sources.list "$root/fs/etc/apt/" 2>/dev/null || true
    cp -r /etc/apt/sources.list.d "$root/fs/etc/apt/"
    tar -C "$root/fs" -cf "$root/base.tar" .
    printf 'FROM scratch\nADD base.tar /\nCMD ["python3"]\n' > "$root/Dockerfile"
    rm -rf "$root/fs"
    buildah "${store[@]}" bud --isolation chroot --quiet --tag "$base" "$root"
  fi
fi

# The machine's own certificates hold inside while it is built, and stay out of the image.
told=(--volume /etc/ssl/certs:/etc/ssl/certs:ro)

buildah "${store[@]}" bud --layers --isolation chroot --network host "${told[@]}" --format docker \
  --build-arg "BASE=$base" --build-arg "VERSION=${VERSION:-$(git describe --tags --always 2>/dev/null || echo dev)}" \
  --build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)" --tag "$name" .

size() { podman "${store[@]}" image inspect --format '{{.Size}}' "$1"; }
echo "$name: $(( ($(size "$name") - $(size "$base")) / 1000000 )) MB over its base"
