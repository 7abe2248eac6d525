# No device on the way, a memory-lock limit too low and no permission each name cause and mend.
# seconds: 60
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
