# A device that is removed ends the connection with a reason, and the next one without a crash.
# seconds: 120
rdma_up
server_up
rdma_live ends >/run/work/removed &
client=$!
until_true 10 said ready /run/work/removed
rdma link delete rxe0 & # returns when the server and the client have let go of it
deleting=$!
until_true 10 said 'the RDMA device was removed' /run/work/removed
server_down
wait $client
wait $deleting
rdma_live refused >/run/work/without
contains 'no RDMA device' /run/work/without
rdma_up
server_up
rdma_live exchange
server_down
