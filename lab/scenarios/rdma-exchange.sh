# Commands, replies and requests larger than both buffers pass over RDMA.
# seconds: 120
rdma_up
server_up
rdma_live exchange
"$LAB_VALKEY/valkey-cli" info stats | grep -E 'total_(commands|net)'
server_down
server_up --rdma-rx-size 65536 # the server's buffer fills up more often, too
rdma_live exchange
server_down
