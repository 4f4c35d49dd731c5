#!/bin/sh
# torch's CPU build where it can be had: it needs 0.9 GB, the build with CUDA 5 GB more.
# Usage: install_torch.sh PYTHON
set -eu
python=${1:?usage: install_torch.sh PYTHON}
version=2.13.0
pip="$python -m pip install --quiet --disable-pip-version-check --only-binary :all:"

"$python" -c "import importlib.metadata as m; assert m.version('torch').split('+')[0] == '$version'" 2>/dev/null && exit 0

echo "Installing torch $version (CPU build; about half a minute) ..."
if [ -n "${TORCH_INDEX_URL:-}" ]; then
    $pip --index-url "$TORCH_INDEX_URL" "torch==$version" && exit 0
    echo "TORCH_INDEX_URL does not have it."
fi
$pip "torch==$version+cpu" 2>/dev/null && exit 0
# PyTorch's own index, as its install page names it; where it is out of reach that shall cost seconds. What torch itself
# needs comes with the other requirements.
$pip --no-deps --timeout 5 --retries 0 --index-url https://download.pytorch.org/whl/cpu "torch==$version+cpu" 2>/dev/null && exit 0
echo "No CPU build found; installing the default build. Set TORCH_INDEX_URL to an index that has the CPU build to save space."
$pip "torch==$version"
