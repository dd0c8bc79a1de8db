# Shared by the proofs in Python: makes a venv in $1 that can import $2, by installing the packages $3 and on; nothing where it can already.
install_python() {
  venv=$1 modules=$2
  shift 2
  "$venv/bin/python" -c "import $modules" 2>/dev/null && return
  python3 -m venv "$venv"
  "$venv/bin/pip" install -q "$@" >&2
}
