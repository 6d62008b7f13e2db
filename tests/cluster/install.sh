#!/bin/sh
# Install what the cluster tests need, from Debian's packages, where that is allowed.
set -eu
for command in sbatch slurmctld slurmd munged ip; do
  command -v "$command" >/dev/null 2>&1 || PATH="$PATH:/usr/sbin:/sbin" command -v "$command" \
    >/dev/null 2>&1 || missing=yes
done
[ "${missing:-no}" = yes ] || exit 0
if [ "$(id -u)" = 0 ]; then as_root=""; elif sudo -n true 2>/dev/null; then as_root="sudo -n"; else
  echo "cluster tests: SLURM cannot be installed here without root; they will be skipped" >&2
  exit 0
fi
command -v apt-get >/dev/null 2>&1 || { echo "cluster tests: no apt-get here" >&2; exit 0; }
$as_root apt-get update -qq
$as_root env DEBIAN_FRONTEND=noninteractive \
  apt-get install -y -qq --no-install-recommends slurm-wlm munge iproute2
