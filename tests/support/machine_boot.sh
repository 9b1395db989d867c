#!/bin/sh
# Boots systemd as the first process of namespaces that the caller made (mount, pid, uts,
# ipc, net, cgroup). What it writes goes into memory: the machine's files stay as they are.
#
# $1 a scratch folder; $2 the folder of the source; $3 Python's folder; $4 its packages
set -eu
mount --make-rprivate /
mount -t tmpfs machine "$1"
mkdir "$1/upper" "$1/work" "$1/root"
root="$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$root"
mkdir -p "$root/opt/source" "$root/opt/python" "$root/opt/site-packages"
mount --bind "$2" "$root/opt/source"
mount --bind "$3" "$root/opt/python"
mount --bind "$4" "$root/opt/site-packages"
for name in source python site-packages; do
    mount -o remount,bind,ro "$root/opt/$name"
done
mount -t proc proc "$root/proc"
# Settings of the kernel are everybody's.
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs tmpfs "$root/dev"
for name in null zero full random urandom tty; do
    touch "$root/dev/$name"
    mount --bind "/dev/$name" "$root/dev/$name"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts devpts "$root/dev/pts" -o newinstance,ptmxmode=0666
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs tmpfs "$root/dev/shm"
ip link set lo up
hostname machine
# No network, so what is installed is as new as can be.
echo 'APT::Get::Upgrade "false";' >"$root/etc/apt/apt.conf.d/99machine"
# Nothing of what is installed here is started but systemd itself.
rm -rf "$root/etc/systemd/system" "$root/var/log/journal"
mkdir -p "$root/etc/systemd/system"
for name in systemd-tmpfiles-setup systemd-sysctl systemd-modules-load systemd-sysusers \
    systemd-udevd systemd-networkd systemd-resolved systemd-timesyncd ldconfig; do
    ln -s /dev/null "$root/etc/systemd/system/$name.service"
done
# A service has a user namespace of its own, which the kernel refuses in a chroot.
cd "$root"
pivot_root . mnt
umount --lazy /mnt
# Credentials reach a service over mounts that are shared, as on every machine.
mount --make-rshared /
exec env -i container=other PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --log-target=console --unit=basic.target
