# What the machine needs: packages, a user, settings, databases. Part of deploy_dashboard_vps.sh.
# shellcheck shell=bash

check_system() {
    [ -f /etc/debian_version ] || fail "This is for Debian. docs/deploy.md says what is needed elsewhere."
    [ -n "$dry" ] || [ "$(id -u)" = 0 ] || fail "This installs packages and services: run it as root, or with --dry-run."
    [ -f "$code/manage.py" ] || fail "$code is not the dashboard's code: run this script where it lies in a clone."
    [ -n "$domain" ] || [ "$(setting_of HTTPS)" != true ] || domain=$(setting_of ALLOWED_HOSTS | cut -d, -f1)
    case $scaled,$(setting_of DATABASE_URL) in
        ,postgres*%2Frun%2Fpostgresql*) scaled=yes ;; # not another machine's
        yes,sqlite*) fail "$environment keeps an SQLite file. PostgreSQL begins empty: delete the line DATABASE_URL first." ;;
    esac
    [ -z "$workers" ] || [ "$workers" = 1 ] || [ -n "$scaled" ] || fail "--workers $workers needs --scaled: they share a Redis."
}

install_packages() {
    local wanted=(python3 python3-venv ca-certificates nginx-light) missing=() package
    say "Packages"
    [ -z "$domain" ] || wanted+=(certbot)
    [ -z "$scaled" ] || wanted+=(postgresql redis-server)
    for package in "${wanted[@]}"; do is_installed "$package" || missing+=("$package"); done
    [ ${#missing[@]} -gt 0 ] || { echo "They are there: ${wanted[*]}" && return; }
    run apt-get update -qq
    run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
    run python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed (Debian 12).")'
}

make_user() {
    say "User and folders"
    id $name >/dev/null 2>&1 || run useradd --system --user-group --home-dir $state --shell /usr/sbin/nologin $name
    run install -d -m 0755 $base $base/releases
    run install -d -m 0700 -o $name -g $name $state
    run install -d -m 0750 -g $name $settings $secrets
}

write_settings() {
    say "Settings"
    random_secret $secrets/secret-key $name
    [ -f $environment ] || write 0640 $name $environment <<'SETTINGS'
# The dashboard's settings (README.md). After a change: systemctl restart quantum-dashboard
SETTINGS
    setting SECRET_KEY_FILE $secrets/secret-key
    setting AUDIT_LOG $state/audit.jsonl
    setting TRUSTED_PROXIES 1
    if [ -n "$domain" ]; then
        case ,$(setting_of ALLOWED_HOSTS), in *,"$domain",*) ;; *) setting ALLOWED_HOSTS "$domain" anew ;; esac
        setting HTTPS true anew
    else
        setting ALLOWED_HOSTS "127.0.0.1,$(hostname)$(hostname -I 2>/dev/null | tr ' ' '\n' | sed -n '/\./s/^/,/p' | tr -d '\n')"
    fi
    if [ -z "$scaled" ]; then
        setting DATABASE_URL sqlite:///$state/db.sqlite3
    else
        setting DATABASE_URL postgres://$name@%2Frun%2Fpostgresql/$name # by the user's name: without a password
        setting STREAM_JOURNAL $state/unstored
        setting REDIS_URL_FILE $secrets/redis-url
        setting METRICS_REDIS_URL redis://127.0.0.1:6379/0
        setting WORKERS "${workers:-auto}" ${workers:+anew}
    fi
}

# is_in_postgresql TABLE COLUMN: whether it has one of our name.
is_in_postgresql() {
    [ -z "$dry" ] && runuser -u postgres -- psql -tAc "SELECT 1 FROM $1 WHERE $2 = '$name'" | grep -qx 1
}

make_databases() {
    local password
    say "PostgreSQL and Redis"
    if [ -n "$dry" ] || [ ! -s $secrets/redis-url ]; then
        printf '+ write %s and %s, with a random password\n' $redis $secrets/redis-url
        [ -n "$dry" ] || {
            password=$(python3 -c 'import secrets; print(secrets.token_urlsafe(32))')
            printf '%s\n' "port 0" "unixsocket /run/redis-$name/redis.sock" "unixsocketperm 777" "dir /var/lib/redis" \
                "dbfilename $name.rdb" "maxclients 10000" "requirepass $password" | install -m 0640 -g redis /dev/stdin $redis
            echo "unix://:$password@/run/redis-$name/redis.sock" | install -m 0640 -g $name /dev/stdin $secrets/redis-url
        }
    fi
    service enable --quiet --now postgresql redis-server@$name
    [ -n "$dry" ] || has_systemd || return 0
    is_in_postgresql pg_roles rolname || run runuser -u postgres -- createuser $name
    is_in_postgresql pg_database datname || run runuser -u postgres -- createdb -O $name -E UTF8 -T template0 $name
}
