#!/usr/bin/env bash
# Puts the dashboard in whose code this script lies on this Debian server (12 or newer); run again, it upgrades.
# What it does, and what to do where it stops: docs/deploy.md.
set -Eeuo pipefail
umask 022

usage() {
    cat <<'USAGE'
deploy_dashboard_vps.sh [--domain NAME [--email ADDRESS]] [--scaled [--workers N]] [--dry-run]

  --domain NAME     serve https://NAME/, with a certificate of Let's Encrypt; without: http, at port 8888
  --email ADDRESS   where Let's Encrypt writes to before a certificate expires
  --scaled          PostgreSQL, a Redis of its own, a server process on each core; without: SQLite, one process
  --workers N       so many server processes
  --dry-run         print all that would be done, and change nothing

What was chosen stands in /etc/quantum-dashboard/environment, which is yours to edit: an upgrade needs no options.
USAGE
}

readonly name=quantum-dashboard
readonly base=/opt/$name settings=/etc/$name state=/var/lib/$name redis=/etc/redis/redis-$name.conf
readonly environment=$settings/environment secrets=$settings/secrets
code=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd -P)
readonly code
domain="" email="" scaled="" workers="" dry="" is_restart_needed=""

say() { printf '\n== %s\n' "$*"; }
fail() { printf '\n%s\n' "$*" >&2 && exit 1; }

while [ $# -gt 0 ]; do
    case $1 in
        --domain | --email | --workers)
            [ -n "${2:-}" ] || fail "$1 needs a value: see --help."
            declare "${1#--}=$2" && shift 2
            ;;
        --scaled) scaled=yes && shift ;;
        --dry-run) dry=yes && shift ;;
        --help | -h) usage && exit ;;
        *) usage >&2 && fail "$1 is not an option." ;;
    esac
done
case $domain in *[!A-Za-z0-9.-]* | -* | .*) fail "--domain $domain is not the name of a host." ;; esac
case $workers in "" | auto | [1-9] | [1-9][0-9]) ;; *) fail "--workers $workers is neither a number nor auto." ;; esac

# shellcheck source=deploy/vps/doing.sh
. "$code/deploy/vps/doing.sh"
# shellcheck source=deploy/vps/machine.sh
. "$code/deploy/vps/machine.sh"
# shellcheck source=deploy/vps/release.sh
. "$code/deploy/vps/release.sh"
# shellcheck source=deploy/vps/serving.sh
. "$code/deploy/vps/serving.sh"

[ -n "$dry" ] || { exec 9>/run/lock/$name && flock -n 9; } || fail "Another deployment is under way: wait for its end."
check_system
old=$(readlink -e $base/current || true)
trap 'printf "\nThis failed, see above. What served goes on as it was: put it right and run this again.\n" >&2' ERR
install_packages
make_user
write_settings
[ -z "$scaled" ] || make_databases
make_release
say "Migrations"
if [ -n "$scaled" ] && [ -z "$dry" ] && ! has_systemd; then
    echo "- systemd does not run here, nor PostgreSQL: not done"
else
    manage "$release" migrate -v1
fi
trap - ERR
if ! try_release "$release"; then
    if [ -z "$old" ] || [ "$old" = "$release" ]; then
        fail "$release does not work, see above; journalctl -u $name may say more. Put it right and run this again."
    fi
    say "It does not work: back to $old"
    try_release "$old" || fail "Neither $release nor $old works, see above; journalctl -u $name may say more."
    fail "$release does not work, see above. $old serves again, on the database as the new one left it."
fi
forget_old_releases
say "Done"
[ -n "$domain" ] && address=https://$domain/ || address=http://$(hostname):8888/
echo "$release serves $address"
[ ! -f $state/first-password ] || echo "Log in as admin, with the password in $state/first-password; then delete that file."
echo "$name COMMAND is its manage.py: $name changepassword admin"
