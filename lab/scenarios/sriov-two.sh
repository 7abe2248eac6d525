# Two NATs on four virtual functions of one card share state; one is killed, and its flows go on through the other.
# seconds: 150
card_up
vfs_up 4
nat_run_on_vfs first 0 1 shared:/dev/shm/rxnf-two &
first=$!
until_ready first
nat_run_on_vfs second 2 3 shared:/dev/shm/rxnf-two &
second=$!
until_ready second
outside there "$(way 2 3)"
outside exchange "$(way 2 3)" 6 4
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
