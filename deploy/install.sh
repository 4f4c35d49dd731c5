#!/bin/sh
# Byte code is written too, where uv would leave it to each first start: half of a start, and 10 MiB of each process.
# Installs a pinned requirements file: torch first (see install_torch.sh), the rest by uv, or by pip where uv fails.
# Usage: install.sh PYTHON REQUIREMENTS
set -eu
python=${1:?usage: install.sh PYTHON REQUIREMENTS}
requirements=${2:?usage: install.sh PYTHON REQUIREMENTS}
uv_version=0.13.8

"$(dirname "$0")/install_torch.sh" "$python"
echo "Installing $requirements ..."
if "$python" -m pip install --quiet --disable-pip-version-check "uv==$uv_version" 2>/dev/null &&
    "$python" -m uv pip install --system-certs --compile-bytecode --quiet --python "$python" -r "$requirements"; then
    exit 0
fi
echo "uv could not install it; pip does, which takes some minutes."
"$python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
