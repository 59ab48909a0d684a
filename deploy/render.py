"""Renders the plain manifests from the chart: ``make manifests``. Needs ``helm``, and validates what it writes.

The first line of the manifests has the digest of the chart they come from, so that a test notices when they are not current.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
CHART: Final = HERE / "helm/breachwatch"
MANIFESTS: Final = HERE / "kubernetes/breachwatch.yaml"
_KUBERNETES: Final = "1.31.0"
_HEAD: Final = """\
# Rendered by `make manifests` from deploy/helm/breachwatch, chart {digest}.
# The job at the end creates the topics; until it has, workers exit and are started again.
"""


def digest() -> str:
    """Of the parts of the chart that the manifests come from."""
    found = hashlib.sha256()
    for path in sorted([CHART / "Chart.yaml", CHART / "values.yaml", *CHART.glob("templates/*")]):
        found.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()[:16]


def main() -> int:
    command = ["helm", "template", "breachwatch", str(CHART), "--kube-version", _KUBERNETES]
    rendered = subprocess.run(  # noqa: S603  helm
        command, capture_output=True, text=True, check=False
    )
    if rendered.returncode:
        sys.exit(rendered.stderr)
    lines = [
        line for line in rendered.stdout.splitlines() if not line.startswith("# Source:") and "managed-by: Helm" not in line
    ]
    MANIFESTS.write_text(_HEAD.format(digest=digest()) + "\n".join(lines) + "\n", "utf-8")
    version = ".".join(_KUBERNETES.split(".")[:2])
    command = [sys.executable, "-m", "kubernetes_validate", "--strict", "--kubernetes-version", version, str(MANIFESTS)]
    return subprocess.run(command, check=False).returncode  # noqa: S603  this interpreter


if __name__ == "__main__":
    sys.exit(main())
