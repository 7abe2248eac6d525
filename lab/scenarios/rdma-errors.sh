# No device on the way, no library, no GID, a memory-lock limit too low and no permission each name cause and mend.
# seconds: 120
rdma_up
rdma_live refused 10.77.0.1 >/run/work/nowhere
contains 'no RDMA device reaches this address' /run/work/nowhere
contains 'to mend it' /run/work/nowhere

as_nobody() { setpriv --reuid=65534 --clear-groups --inh-caps=-all --bounding-set=-all "$@"; }
chmod 666 /dev/infiniband/*
(ulimit -l 512; as_nobody "$BASH" -c "$(declare -f rdma_live); rdma_live refused 10.9.0.1") \
  >/run/work/locked
contains 'the limit is 512 KiB' /run/work/locked
contains 'ulimit -l unlimited' /run/work/locked

chmod 600 /dev/infiniband/*
as_nobody "$BASH" -c "$(declare -f rdma_live); rdma_live refused 10.9.0.1" >/run/work/forbidden
contains 'no right to /dev/infiniband/rdma_cm' /run/work/forbidden
chmod 666 /dev/infiniband/*

nat_configuration one 400 >/run/work/one.yaml
library=/usr/lib/x86_64-linux-gnu/libibverbs.so.1
mv "$library" "$library.hidden"
nat_run one && refuse 'an instance ran without libibverbs'
mv "$library.hidden" "$library"
contains 'libibverbs.so.1 not installed' /run/work/one.log
contains 'apt-get install libibverbs-dev' /run/work/one.log

ip link add rdma2 type veth peer name rdma3 # without an address, so without its GID
ip link set rdma2 up
ip link set rdma3 up
rdma link add rxe1 type rxe netdev rdma2
ip route add 10.11.0.1 dev rdma2
rdma_address=10.11.0.1 nat_configuration two 400 >/run/work/two.yaml
nat_run two && refuse 'an instance ran without a GID'
contains 'rdma2 has no IPv4 address, so rxe1 has no GID of it' /run/work/two.log
contains 'ip addr add ADDRESS dev rdma2' /run/work/two.log
rdma link delete rxe1
ip link delete rdma2
