# A release becomes what serves: units, processes, nginx, a check from outside. Part of deploy_dashboard_vps.sh.
# shellcheck shell=bash

# put_in_place RELEASE: from now on it is what starts.
put_in_place() {
    local unit
    say "Put $1 in place"
    run ln -sfn "$1" $base/.next && run mv -T $base/.next $base/current || return
    run ln -sfn $base/current/deploy/$name /usr/local/bin/$name || return
    for unit in "$code"/deploy/systemd/*; do
        unit=${unit##*/}
        cmp -s "$1/deploy/systemd/$unit" "/etc/systemd/system/$unit" && continue
        run install -m 0644 "$1/deploy/systemd/$unit" /etc/systemd/system/ || return
        is_restart_needed=yes
    done
    service daemon-reload && service enable --quiet $name.socket $name.service && service start $name.socket
}

# The processes of the workers, where there are several.
workers_of_service() { cat "/proc/$(systemctl show -p MainPID --value $name)/task/"*/children 2>/dev/null || true; }

# Which folders the server runs in: of several workers, theirs.
folders() {
    local process served
    served=$(workers_of_service)
    for process in ${served:-$(systemctl show -p MainPID --value $name)}; do
        readlink "/proc/$process/cwd" || true
    done | sort -u
}

# restart RELEASE: workers one after the other where there are several, else at once; the socket listens meanwhile.
restart() {
    local count=0 second
    if [ -z "$dry" ] && has_systemd && systemctl -q is-active $name && [ -z "$is_restart_needed" ]; then
        count=$(workers_of_service | wc -w)
        [ "$(folders)" != "$1" ] || { echo "It runs." && return; }
    fi
    is_restart_needed=""
    [ "$count" -gt 1 ] || { service restart $name; return; }
    service reload $name || return
    for second in $(seq $((60 + 30 * count))); do
        [ "$(folders)" != "$1" ] || { echo "$count workers are replaced, one after the other." && return; }
        [ "$second" -lt 10 ] || folders | grep -qxF "$1" || break # the first of the new ones has ended
        sleep 1
    done
    echo "The workers were not replaced: journalctl -u $name says why." >&2
    return 1
}

configure_nginx() {
    local certificate=/etc/letsencrypt/live/$domain/fullchain.pem site=/etc/nginx/conf.d/$name.conf tls=$1
    say "nginx"
    [ -z "$dry" ] || tls=$code
    tls+=/deploy/nginx/site-tls.conf
    run install -D -m 0644 "$1/deploy/nginx/locations.conf" /etc/nginx/$name/locations.conf || return
    run install -m 0644 "$1/deploy/nginx/upstream.conf" /etc/nginx/conf.d/$name-upstream.conf || return
    if [ -z "$domain" ]; then
        run install -m 0644 "$1/deploy/nginx/site-http.conf" $site || return
    else
        if [ ! -f "$certificate" ]; then # port 80 alone, where Let's Encrypt looks
            sed "s/dashboard\.example/$domain/g; /^}/q" "$tls" | write 0644 root $site || return
            run install -d /var/www/html && run nginx -t -q && service reload-or-restart nginx || return
            run certbot certonly --webroot -w /var/www/html -d "$domain" --non-interactive --agree-tos \
                --deploy-hook "systemctl reload nginx" \
                "$([ -n "$email" ] && echo "--email=$email" || echo --register-unsafely-without-email)" || return
        fi
        sed "s/dashboard\.example/$domain/g" "$tls" | write 0644 root $site || return
    fi
    run nginx -t -q && service enable --quiet nginx && service reload-or-restart nginx
}

# As a program sees it, through nginx; with a token for a day, as people have to log in.
check_from_outside() {
    local manage=$1/deploy/$name owner
    owner=$("$manage" shell -v0 -c 'from django.contrib.auth import get_user_model as users
print(next(iter(users().objects.filter(is_superuser=True, is_active=True)), ""))')
    [ -n "$owner" ] || { echo "There is no superuser, who could have a token: not checked."; return; }
    "$manage" create_token "$owner" "check of a deployment" --scope stream --days 1 |
        "$manage" check_stream "$2" --token-file - --messages 3
}

is_healthy() {
    python3 - 2>/dev/null <<'ASK'
import json, sys, urllib.request
health = json.load(urllib.request.urlopen("http://127.0.0.1:8000/stream/health", timeout=5))
sys.exit(health["status"] == "down" or health["age"] is None)
ASK
}

check() {
    local address=http://127.0.0.1:8888 until=$((SECONDS + 60))
    say "Check"
    [ -n "$dry" ] || has_systemd || { echo "- systemd does not run here: nothing serves that could be checked"; return; }
    [ -z "$domain" ] || address=https://$domain
    printf '+ wait until http://127.0.0.1:8000/stream/health says that snapshots flow\n'
    until [ -n "$dry" ] || is_healthy; do
        [ $SECONDS -lt $until ] || { echo "It does not say so within a minute: journalctl -u $name says why." >&2 && return 1; }
        sleep 1
    done
    run check_from_outside "$1" "$address"
}

try_release() { put_in_place "$1" && restart "$1" && configure_nginx "$1" && check "$1"; }
