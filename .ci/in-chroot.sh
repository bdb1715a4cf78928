#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs the program that this script is called as (a link named blender, Xvfb, …) inside the Debian beside it, with the
# machine's own folders in their usual places, so that paths and the backend's Python mean the same inside and outside.
# The mounts live in a mount namespace of this process alone and vanish with it; the process id stays the caller's
# child's, so that signals reach the program itself.
set -euo pipefail

script=$(readlink -f "${BASH_SOURCE[0]}")
root=$(dirname "$script")/root
program=$(basename "$0")

enter='
set -euo pipefail
root=$1 here=$2 program=$3
shift 3

bind() {
    if [ -d "$1" ]; then mkdir -p "$root$1"; elif [ ! -e "$root$1" ]; then touch "$root$1"; fi
    mount --rbind "$1" "$root$1"
}

# The folders of the running system and every top-level folder that belongs to people, not to the distribution.
for folder in /*; do
    case $folder in
        /bin | /boot | /etc | /lib | /lib32 | /lib64 | /libx32 | /lost+found | /run | /sbin | /usr | /var) ;;
        *) if [ -d "$folder" ] && [ ! -L "$folder" ]; then bind "$folder"; fi ;;
    esac
done
bind /usr/local
# A virtual environment may rest on the Python of the machine, which the Debian inside need not have.
for python in /usr/bin/python3.*; do
    version=${python##*/}
    if [ -f "$python" ] && [[ $version =~ ^python3\.[0-9]+$ ]] && [ -d "/usr/lib/$version" ] &&
        [ ! -s "$root$python" ]; then
        bind "$python"
        bind "/usr/lib/$version"
    fi
done
export LIFELIKE_IN_CHROOT=1 LIBGL_ALWAYS_SOFTWARE=1 LC_ALL=C.UTF-8
exec chroot "$root" /bin/sh -c "cd \"\$1\" 2>/dev/null || cd /; shift; exec \"\$@\"" sh "$here" "/usr/bin/$program" "$@"
'
exec unshare --mount --propagation private -- bash -c "$enter" bash "$root" "$PWD" "$program" "$@"
