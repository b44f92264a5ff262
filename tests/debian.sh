#!/bin/sh
# tests/debian.sh PACKAGE FOLDER: unpacks a package of Debian's into a folder, without installing it, and as any user.
set -eu
folder=$(mkdir -p "$2" && cd "$2" && pwd)
cd "$folder"
mkdir -p lists/partial cache/archives/partial
apt() { apt-get -q -o Dir::State::Lists="$folder/lists" -o Dir::Cache="$folder/cache" "$@" >&2; }
# Where the machine's own lists know a version that can still be had, they save a minute.
apt-get -q download "$1" >&2 || { apt update && apt download "$1"; }
dpkg-deb -x "$1"_*.deb .
rm -rf lists cache "$1"_*.deb
