# A NAT drops and counts what comes while its server over RDMA is away, and goes on when it is back.
# seconds: 300
rdma_up
server_up
nat_configuration outage 400 >/run/work/outage.yaml
nat_run outage &
nat=$!
until_ready outage
sleep 2
server_down
until_true 10 said 'store-away' /run/work/outage.log
sleep 1
server_up
until_true 15 said 'store-back' /run/work/outage.log
nat_end outage
wait "$nat" || refuse "$(cat /run/work/outage.log)"
contains '"event":"summary"' /run/work/outage.log
grep -oE '"store-(unavailable|timeout)":[1-9][0-9]*' /run/work/outage.log || refuse 'nothing was dropped for the store'
server_down
