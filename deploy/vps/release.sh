# The code in a folder of its own, with all that it needs; old ones are forgotten. Part of deploy_dashboard_vps.sh.
# shellcheck shell=bash

unpack() {
    if [ "$2" = git ]; then
        git -c safe.directory="$code" -C "$code" archive HEAD | tar -x -C "$1"
    else
        tar -C "$code" --exclude='./.*' --exclude=./node_modules --exclude=./build --exclude='./*.sqlite3*' -c . | tar -x -C "$1"
    fi
}

make_release() {
    local version kind=git commit
    say "Code"
    version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' "$code/quantum_dashboard/__init__.py")
    if ! commit=$(git -c safe.directory="$code" -C "$code" rev-parse --short=12 HEAD 2>/dev/null); then
        kind=tar # an archive that was unpacked: what is in it names it
        commit=$(cd "$code" && find . -path './.*' -prune -o -path ./node_modules -prune -o -name __pycache__ -prune -o \
            -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -c1-12)
    elif ! git -c safe.directory="$code" -C "$code" diff --quiet HEAD; then
        echo "What is not committed in $code is not deployed."
    fi
    release=$base/releases/$version-$commit
    [ ! -f "$release/.complete" ] || { echo "$release is there." && return; }
    run rm -rf "$release"
    run install -d "$release"
    run unpack "$release" $kind
    run python3 -m venv "$release/.venv"
    run "$release/.venv/bin/python" -m pip install -q --disable-pip-version-check --require-hashes -r "$release/requirements.lock"
    run env SECRET_KEY_FILE=$secrets/secret-key "$release/.venv/bin/python" "$release/manage.py" collectstatic --noinput -v0
    run "$release/.venv/bin/python" -m compileall -q "$release"/{quantum_dashboard,metrics,access,streaming}
    run touch "$release/.complete"
}

forget_old_releases() {
    local folder
    [ -d $base/releases ] || return 0
    say "Old releases"
    find $base/releases -mindepth 1 -maxdepth 1 -printf '%T@ %p\n' 2>/dev/null | sort -rn | cut -d' ' -f2 | tail -n +4 |
        while read -r folder; do
            [ "$folder" = "$release" ] || [ "$folder" = "$old" ] || run rm -rf "$folder"
        done
}
