# A link that goes down and comes back is told of; its virtual functions were reset, and serve a new instance.
# seconds: 300
card_up
vfs_up
interface=$(ls "/sys/bus/pci/devices/$card/net")
nat_run_on_vfs one 0 1 memory &
nat=$!
until_ready one
outside there "$(way 0 1)"
ip link set "$interface" down
until_true 10 grep -q '"event":"link-down","port":"outside"' /run/work/one.log || refuse "$(cat /run/work/one.log)"
ip link set "$interface" up
until_true 10 grep -q '"event":"link-up","port":"outside"' /run/work/one.log || refuse "$(cat /run/work/one.log)"
nat_end one
wait "$nat" || refuse "$(cat /run/work/one.log)"
contains '"conserved":true' /run/work/one.log
nat_run_on_vfs two 0 1 memory &
nat=$!
until_ready two
outside there "$(way 0 1)"
nat_end two
wait "$nat" || refuse "$(cat /run/work/two.log)"
