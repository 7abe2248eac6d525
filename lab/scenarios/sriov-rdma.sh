# Two NATs on four virtual functions share state over RDMA with another guest's server; one is killed, and its flows keep their bindings.
# seconds: 300
# served
card_up
vfs_up
rdma_between 10.9.0.2
until_true 60 "$LAB_VALKEY/valkey-cli" -h "$rdma_address" ping
rdma_live exchange
nat_run_on_vfs first 0 1 "rdma://$rdma_address:6380" &
first=$!
until_ready first
nat_run_on_vfs second 2 3 "rdma://$rdma_address:6380" &
second=$!
until_ready second
outside there "$(way 2 3)"
outside exchange "$(way 2 3)" 6 4 # of the same clients: the other finds their bindings
outside there "$(way 0 1)"
outside begin "$(way 0 1)" 9
nat_end first KILL
wait "$first" || true
outside turn "$(way 2 3)"
outside reach 10
outside end
nat_end second
wait "$second" || refuse "$(cat /run/work/second.log)"
contains '"conserved":true' /run/work/second.log
