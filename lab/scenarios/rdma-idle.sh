# A connection outlives silence, and a server that is stopped for longer than the keepalives.
# seconds: 120
rdma_up
server_up
{ sleep 2; kill -STOP "$(server_pid)"; sleep 5; kill -CONT "$(server_pid)"; } &
rdma_live idle
wait
server_down
