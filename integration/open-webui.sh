#!/bin/sh
# Open WebUI over `deliberate serve`: its backend lists our model and talks to it; in its page an answer and its thoughts are seen.
#
# Run: npm run build && integration/open-webui.sh [FOLDER]      FOLDER: where to install, default .cache/open-webui (7 GB)
# Needs Python 3.11 or 3.12 with venv; Chromium for the page. OPEN_WEBUI_VENV: a venv that has it already.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
home=${1:-$root/.cache/open-webui}
. "$root/integration/python_install.sh"
venv=${OPEN_WEBUI_VENV:-$home/venv}
install_python "$venv" open_webui open-webui==0.12.4
"$venv/bin/pip" list 2>/dev/null | grep -E '^open-webui '
"$venv/bin/python" --version | sed 's/^P/p/'
exec node "$root/dist/integration/open-webui.js" "$venv/bin/open-webui" "$home"
