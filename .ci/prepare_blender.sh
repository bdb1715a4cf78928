#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Prepares a Blender 4.3 with windows in TARGET, for the tests of the interface:
#
#     .ci/prepare_blender.sh TARGET
#
#     TARGET/root         Debian trixie with Blender, a software OpenGL and a virtual display
#     TARGET/bin/blender  runs that Blender; beside it Xvfb, xdotool and import (in-chroot.sh under other names)
#
# Needs root on a Debian-like machine (debootstrap, chroot, mount). Packages come from the mirror that the machine's own
# apt uses; set DEBIAN_MIRROR where the machine is not a Debian. Run again it changes nothing; killed half-way it starts
# over. About two minutes and 1.5 GB.
set -euo pipefail

suite=trixie
packages="blender python3-numpy xvfb xauth xdotool imagemagick libgl1-mesa-dri libegl1 libglx-mesa0 libgl1 ca-certificates"
commands="blender Xvfb xdotool import"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

say() { printf 'prepare_blender: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# The first Debian repository that apt knows here, without naming any in this file.
debian_mirror() {
    if [ -n "${DEBIAN_MIRROR:-}" ]; then
        printf '%s\n' "$DEBIAN_MIRROR"
        return
    fi
    apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' |
        awk -F'|' '$1 == "Debian" && $2 == "Debian" && !found { print $3; found = 1 }'
}

# What lets apt reach the mirror from here (proxy, certificates, clock) must hold inside as well.
copy_network_settings() {
    local root=$1 file
    mkdir -p "$root/etc/apt/apt.conf.d" "$root/etc/ssl/certs"
    for file in /etc/apt/apt.conf /etc/apt/apt.conf.d/*; do
        # Hooks of the host's own programs (Docker's clean-up, PackageKit, …) have nothing to call in the chroot.
        if [ -f "$file" ] && grep -qE '^[^/]*Acquire::' "$file" && ! grep -qE '(Pre|Post)-Invoke' "$file"; then
            cp "$file" "$root/etc/apt/apt.conf.d/"
        fi
    done
    for file in /etc/apt/auth.conf.d/*; do
        if [ -f "$file" ]; then
            mkdir -p "$root/etc/apt/auth.conf.d"
            cp "$file" "$root/etc/apt/auth.conf.d/"
        fi
    done
    if [ -f /etc/ssl/certs/ca-certificates.crt ]; then
        cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    fi
    cp /etc/hosts /etc/resolv.conf "$root/etc/" 2>/dev/null || true
    ln -sfn /proc/self/mounts "$root/etc/mtab" # where Blender looks for the mounted disks
}

# Neither manuals nor synchronous writes: half the time on a small machine.
make_dpkg_lean() {
    local root=$1
    mkdir -p "$root/etc/dpkg/dpkg.cfg.d"
    printf 'force-unsafe-io\npath-exclude=/usr/share/man/*\npath-exclude=/usr/share/doc/*\n' \
        >"$root/etc/dpkg/dpkg.cfg.d/lean"
}

install_debootstrap() {
    command -v debootstrap >/dev/null && return
    command -v apt-get >/dev/null || fail "needs debootstrap: install it with this machine's package manager."
    say "installing debootstrap"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap >/dev/null
}

# Runs a command in the chroot with /proc and /dev that vanish with it.
inside() {
    local root=$1
    shift
    unshare --mount --propagation private -- bash -ec '
        root=$1; shift
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
    ' bash "$root" "$@"
}

build() {
    local root=$1 mirror
    install_debootstrap
    mirror=$(debian_mirror)
    [ -n "$mirror" ] || fail "apt knows no Debian repository here: set DEBIAN_MIRROR to one."
    say "bootstrapping Debian $suite"
    debootstrap --variant=minbase --components=main "$suite" "$root" "$mirror" >"$root.log" 2>&1 ||
        { tail -n 20 "$root.log" >&2; fail "debootstrap failed (above)."; }
    copy_network_settings "$root"
    make_dpkg_lean "$root"
    say "installing $packages"
    {
        inside "$root" apt-get update -q &&
            inside "$root" apt-get install -y -q --no-install-recommends $packages &&
            inside "$root" apt-get clean
    } >>"$root.log" 2>&1 || { tail -n 20 "$root.log" >&2; fail "installing Blender failed (above)."; }
}

main() {
    [ $# -eq 1 ] || fail "usage: prepare_blender.sh TARGET"
    local target stamp name partial
    mkdir -p "$1"
    target=$(cd "$1" && pwd)
    stamp="$suite $packages"
    if [ "$(cat "$target/stamp" 2>/dev/null)" != "$stamp" ]; then
        [ "$(id -u)" = 0 ] || fail "needs root: run it with sudo."
        partial="$target/root.partial"
        rm -rf --one-file-system "$partial" "$target/root"
        mkdir "$partial"
        build "$partial"
        mv "$partial" "$target/root"
        rm -f "$partial.log"
    fi
    mkdir -p "$target/bin"
    cp "$here/in-chroot.sh" "$target/in-chroot.sh"
    chmod 755 "$target/in-chroot.sh"
    for name in $commands; do
        ln -sfn ../in-chroot.sh "$target/bin/$name"
    done
    "$target/bin/blender" --version | head -n 1
    printf '%s\n' "$stamp" >"$target/stamp"
}

main "$@"
