# Two NATs on four virtual functions of one card share state over RDMA; one is killed, and its flows keep their bindings.
# seconds: 180
card_up
vfs_up 4
rdma_up
server_up
nat_run_on_vfs first 0 1 "rdma://$rdma_address:6380" &
first=$!
nat_run_on_vfs second 2 3 "rdma://$rdma_address:6380" &
second=$!
until_ready first
until_ready second
outside there "$(way 2 3)"
outside exchange "$(way 2 3)" 6 4 # of the same clients: the other finds their bindings
outside there "$(way 0 1)"
outside begin "$(way 0 1)" 9
kill -9 "$first"
wait "$first" || true
outside turn "$(way 2 3)"
outside reach 10
outside end
kill "$second"
wait "$second" || refuse "$(cat /run/work/second.log)"
contains '"conserved":true' /run/work/second.log
server_down
