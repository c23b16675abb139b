#!/bin/sh
# Make the environment: torch first (a build that is there already stays), the rest at the tested versions, then what is
# nice to have. Called by `make setup`; safe to run again.
set -eu
PYTHON=${PYTHON:-python3}
VENV=${VENV:-.venv}

say() { printf '\033[1m%s\033[0m\n' "$*"; }

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    say "video2reward needs Python 3.11 or newer; $PYTHON is $("$PYTHON" -V 2>&1). Name another with PYTHON=…"
    exit 2
}
[ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV" || {
    say "no virtual environment could be made: install your system's python3-venv package"
    exit 2
}
pip() { "$VENV/bin/python" -m pip --disable-pip-version-check "$@"; }
torch_build() { "$VENV/bin/python" -c 'import torch; print(torch.__version__, torch.version.cuda)' 2>/dev/null || echo none; }

before=$(torch_build)
if [ "$before" = none ]; then
    say "Installing torch"
    pip install -q -c constraints.txt torch
    before=$(torch_build)
fi

say "Installing video2reward and what it needs"
pip install -q -c constraints.txt -e ".[bench,people,test]"
# mediapipe brings an OpenCV that wants a display library; the headless build of the same version takes its place.
pip install -q -c constraints.txt --no-deps --force-reinstall opencv-python-headless

after=$(torch_build)
[ "$before" = "$after" ] || {
    say "another package replaced torch ($before) by $after; please report this, and install torch again by hand"
    exit 1
}

# What Python packages cannot bring: name, what it is for, what is done without it.
install() {
    what=$1 without=$2
    shift 2
    sudo=
    [ "$(id -u)" = 0 ] || sudo="sudo -n"
    if command -v apt-get >/dev/null && $sudo true 2>/dev/null; then
        say "Installing $what"
        { $sudo apt-get update -q && $sudo apt-get install -qy --no-install-recommends "$@"; } >/dev/null 2>&1 ||
            say "$what could not be installed: $without"
    else
        say "There is no $what and no right to install it: $without ($*)"
    fi
}
has() { ldconfig -p 2>/dev/null | grep -q "$1"; }

has 'libEGL\.so\.1' && has 'libGLESv2\.so\.2' ||
    install "the GL libraries that rendering needs" "robots will be drawn as skeletons" libegl1 libgl1 libgles2
command -v bwrap >/dev/null && has 'libseccomp\.so\.2' ||
    install "the sandbox that reward code runs in" "a language model's rewards need --unsafe" bubblewrap libseccomp2

"$VENV/bin/video2reward" models pull blazepose ||
    say "BlazePose could not be fetched: clips of people need it, keypoint files do not (video2reward models pull)"
say "Ready: $VENV/bin/video2reward --help"
