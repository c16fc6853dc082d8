#!/bin/sh
# Installs one replica as a systemd service: sudo deploy/install.sh [path of the executable, default dist/coracle]
# Run again to upgrade: the executable is replaced, the settings and the data are left alone.
set -eu

executable=${1:-dist/coracle}
here=$(cd "$(dirname "$0")" && pwd)

fail() { echo "install: $1" >&2; exit 1; }

[ "$(id -u)" = 0 ] || fail "needs root: sudo $0"
[ -x "$executable" ] || fail "$executable is no executable: build it with ./compile.sh, or name it"
command -v systemctl >/dev/null || fail "needs systemd"
"$executable" --version >/dev/null || fail "$executable does not run here: is it built for this machine?"

id coracle >/dev/null 2>&1 || useradd --system --home-dir /var/lib/coracle --no-create-home --shell /usr/sbin/nologin coracle
# Beside, then over: a running process keeps the old file.
install -m 0755 "$executable" /usr/local/bin/coracle.new
mv /usr/local/bin/coracle.new /usr/local/bin/coracle
install -d -m 0750 -o root -g coracle /etc/coracle
if [ ! -e /etc/coracle/coracle.env ]; then
  cat > /etc/coracle/coracle.env <<'SETTINGS'
# The same PEERS and CLUSTER_SECRET on every machine; NODE_ID and HOST are this machine's.
NODE_ID=n1
HOST=10.0.0.1
PORT=8080
PEERS=n1=http://10.0.0.1:8080,n2=http://10.0.0.2:8080,n3=http://10.0.0.3:8080
CLUSTER_SECRET=
TOKEN=
SETTINGS
  chmod 0640 /etc/coracle/coracle.env
  chgrp coracle /etc/coracle/coracle.env
  fresh=1
else
  fresh=0
fi
install -m 0644 "$here/coracle.service" /etc/systemd/system/coracle.service
systemctl daemon-reload
systemctl enable coracle >/dev/null

if [ "$fresh" = 1 ]; then
  echo "installed. Now fill in /etc/coracle/coracle.env, then: systemctl start coracle"
else
  systemctl restart coracle
  echo "upgraded and restarted: $(/usr/local/bin/coracle --version)"
fi
