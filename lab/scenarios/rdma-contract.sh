# The contract of every store holds for a server over RDMA.
# seconds: 300
rdma_up
server_up
LAB_STORE="rdma://$rdma_address:6380" node_modules/.bin/vitest run --configLoader native \
  --config lab/vitest.config.ts \
  lab/tests/store-contract.test.ts
"$LAB_VALKEY/valkey-cli" info clients | grep connected_clients
server_down
