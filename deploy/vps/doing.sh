# How things are done: each is printed, and done unless --dry-run. Part of deploy_dashboard_vps.sh.
# shellcheck shell=bash

run() { printf '+ %s\n' "$*" && { [ -n "$dry" ] || "$@"; }; }

# write MODE GROUP FILE: what comes in becomes the file.
write() {
    local text
    text=$(cat)
    printf '+ write %s (%s root:%s)\n    %s\n' "$3" "$1" "$2" "${text//$'\n'/$'\n'    }"
    [ -n "$dry" ] || install -m "$1" -g "$2" /dev/stdin "$3" <<<"$text"
}

# random_secret FILE GROUP: 50 random bytes, once; they are not shown.
random_secret() {
    [ ! -s "$1" ] || return 0
    printf '+ write a random secret into %s (0640 root:%s)\n' "$1" "$2"
    [ -n "$dry" ] || python3 -c 'import secrets; print(secrets.token_urlsafe(50))' | install -m 0640 -g "$2" /dev/stdin "$1"
}

# setting NAME VALUE [anew]: a line of the environment file, where it has none of that name; anew: in its place.
setting() {
    ! grep -qs "^$1_FILE=" $environment || return 0
    if grep -qs "^$1=" $environment; then
        [ -n "${3:-}" ] && ! grep -qxF "$1=$2" $environment || return 0
        run sed -i "s|^$1=.*|$1=$2|" $environment
    else
        printf '+ append to %s: %s=%s\n' $environment "$1" "$2"
        [ -n "$dry" ] || printf '%s=%s\n' "$1" "$2" >>$environment
    fi
    is_restart_needed=yes
}
setting_of() { sed -n "s/^$1=//p" $environment 2>/dev/null || true; }

# manage RELEASE words…: its manage.py, as the dashboard's user, with its settings.
manage() { run "$1/deploy/quantum-dashboard" "${@:2}"; }

is_installed() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }
has_systemd() { [ -d /run/systemd/system ]; }

# service words…: systemctl, where systemd is what runs here.
service() {
    if [ -n "$dry" ] || has_systemd; then run systemctl "$@"; else echo "- systemd does not run here; not done: systemctl $*"; fi
}
