# A NAT with its state over RDMA is killed; the one after it keeps every binding that it gave.
# seconds: 300
rdma_up
server_up
nat_configuration one 1000 loop >/run/work/one.yaml
nat_configuration two 2000 >/run/work/two.yaml
nat_run one &
first=$!
until_ready one
sleep 2
nat_end one KILL
wait "$first" || true
node --conditions=source lab/tests/bindings.ts 6379 >/run/work/before
nat_run two || refuse "$(cat /run/work/two.log)"
node --conditions=source lab/tests/bindings.ts 6379 >/run/work/after
echo "$(wc -l </run/work/before) bindings when it was killed, $(wc -l </run/work/after) at the end"
[[ $(wc -l </run/work/before) -gt 50 ]] || refuse 'too few to say anything'
lost=$(comm -23 /run/work/before /run/work/after)
[[ -z $lost ]] || refuse "changed or gone: $lost"
[[ $(cut -d' ' -f2 /run/work/after | sort | uniq -d) == '' ]] || refuse 'an external endpoint twice'
contains '"event":"summary"' /run/work/two.log
! grep -oE '"store-[a-z]+":[1-9][0-9]*|"commit-unknown":[1-9]' /run/work/two.log || refuse 'packets were dropped for the store'
server_down
