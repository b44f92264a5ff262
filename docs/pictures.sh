#!/bin/sh
# Takes the picture of Flower for the README, docs/images/flower.png: of real wake-ups, on a host by the name of `wakequeue`.
# It needs Linux and Chromium (Debian: apt-get install chromium), and `make .venv/installed` before.
set -eu
[ "${1:-}" = inside ] || exec unshare --map-root-user --uts "$0" inside
hostname wakequeue

cd "$(dirname "$0")/.."
folder=$(mktemp -d)
export WAKEQUEUE_DATA_DIR="$folder/data" WAKEQUEUE_GRPC_ADDRESS=127.0.0.1:21100 WAKEQUEUE_ADMIN_ADDRESS=127.0.0.1:21101
export WAKEQUEUE_HTTP_ADDRESS=127.0.0.1:21102 WAKEQUEUE_FLOWER_ADDRESS=127.0.0.1:21103
export WAKEQUEUE_SCHEDULES='{"office": {"every": "5s", "wakes": ["shop/cart-00007", "shop/web-00012", "intranet/wiki-00003"], "for": "2s"}}'
wakequeue=.venv/bin/wakequeue

$wakequeue up > "$folder/log" 2>&1 &
up=$!
trap 'kill $up; wait $up || true; rm -rf "$folder"' EXIT
until grep -q "ready:" "$folder/log"; do kill -0 $up; sleep 0.2; done

$wakequeue call blog/posts-00003
$wakequeue call shop/cart-00007 --count 500
sleep 4
$wakequeue call intranet/wiki-00003
$wakequeue wake shop/cart-00007 shop/web-00012 shop/checkout-00002 shop/search-00041 mail/inbox-00005
sleep 1

chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
    --disable-component-update --disable-sync --user-data-dir="$folder/browser" --hide-scrollbars --window-size=1500,880 --force-device-scale-factor=0.93 \
    --virtual-time-budget=10000 --screenshot="$PWD/docs/images/flower.png" "http://$WAKEQUEUE_FLOWER_ADDRESS/tasks" 2> "$folder/browser.log"
