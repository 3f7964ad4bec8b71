#!/usr/bin/env bash
# The tests on a Debian 12 of their own: kernel 6.1, systemd, nothing but cgroup v2, for who has another kernel.
#
#   tests/realworld/vm.sh tests/engine/runtime/test_cgroups.py [what else pytest takes]
#
# Needs root, debootstrap, qemu-system-x86 and e2fsprogs. VM is where it is made (4 GB; what is there is used again),
# WHEELS a directory of wheels for who cannot reach a package index, ACCEL=kvm is twenty times faster than tcg.
# Takes what is committed. Ends with pytest's exit code.
set -euo pipefail
cd "$(dirname "$0")/../.."
VM=${VM:-/var/tmp/pilothouse-vm}
tree=$VM/tree
mkdir -p "$VM"

if [ ! -e "$VM/made" ]; then
  rm -rf "$tree"
  debootstrap --variant=minbase --include=python3,python3-venv,systemd-sysv,dbus,udev,kmod,iproute2,nftables,procps,linux-image-amd64 \
    bookworm "$tree"
  from=()
  if [ -n "${WHEELS:-}" ]; then
    cp -r "$WHEELS" "$tree/opt/wheels"
    from=(--no-index --find-links /opt/wheels)
  else
    cp /etc/resolv.conf "$tree/etc/resolv.conf"
  fi
  mkdir "$tree/opt/project"
  git archive HEAD | tar -xC "$tree/opt/project"
  chroot "$tree" python3 -m venv /opt/venv
  chroot "$tree" /opt/venv/bin/pip install -q "${from[@]}" setuptools wheel
  chroot "$tree" /opt/venv/bin/pip install -q "${from[@]}" --no-build-isolation -e '/opt/project[web]' \
    pytest pytest-asyncio pytest-textual-snapshot hypothesis
  cat >"$tree/etc/systemd/system/tests.service" <<'UNIT'
[Unit]
After=multi-user.target
SuccessAction=poweroff
FailureAction=poweroff
[Service]
Type=oneshot
WorkingDirectory=/opt/project
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
ExecStart=/bin/sh /opt/tests
[Install]
WantedBy=graphical.target
UNIT
  chroot "$tree" systemctl enable tests.service
  chroot "$tree" systemctl mask serial-getty@ttyS0.service
  touch "$VM/made"
fi

rm -rf "$tree/opt/project"
mkdir "$tree/opt/project"
git archive HEAD | tar -xC "$tree/opt/project"
{
  echo 'export PATH=/opt/venv/bin:$PATH PYTHONPATH=/opt/project'
  printf 'pytest -p no:cacheprovider'
  printf ' %q' "$@"
  printf '\necho "pytest ended with $?"\n'
} >"$tree/opt/tests"
rm -f "$VM/disk"
mkfs.ext4 -q -d "$tree" "$VM/disk" 6G
qemu-system-x86_64 -accel "${ACCEL:-tcg,thread=multi}" -cpu max -smp 2 -m 3G -nographic -no-reboot -net none \
  -kernel "$tree"/vmlinuz -initrd "$tree"/initrd.img -append 'root=/dev/vda rw console=ttyS0 mitigations=off quiet' \
  -drive "file=$VM/disk,if=virtio,format=raw,cache=unsafe" -device virtio-rng-pci </dev/null | tee "$VM/console"
exit "$(sed -n 's/.*pytest ended with \([0-9]*\).*/\1/p' "$VM/console" | grep . || echo 1)"
