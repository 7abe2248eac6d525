# Messages outnumber the server's receives by far while it does not read, and none is refused.
# seconds: 120
rdma_up
server_up
rdma_live credits
server_down
