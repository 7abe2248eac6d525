# A killed server ends the connection with a reason; nothing listens; a restarted one is reached.
# seconds: 120
rdma_up
server_up
rdma_live ends >/run/work/ends &
until_true 10 said ready /run/work/ends
server_down
wait $!
contains 'closed by the server' /run/work/ends
rdma_live refused >/run/work/refused
contains 'nothing listens there' /run/work/refused
server_up
rdma_live exchange
server_down
