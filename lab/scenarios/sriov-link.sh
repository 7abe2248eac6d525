# A link that goes down and comes back resets its virtual functions: the NAT sets them up anew, and goes on.
# seconds: 300
card_up
vfs_up
interface=$(ls "/sys/bus/pci/devices/$card/net")
nat_run_on_vfs one 0 1 memory &
nat=$!
until_ready one
outside there "$(way 0 1)"
ip link set "$interface" down
until_true 10 said '"event":"link-down","port":"outside"' /run/work/one.log || refuse "$(cat /run/work/one.log)"
ip link set "$interface" up
for port in inside outside; do
  until_true 20 said "\"event\":\"reset\",\"port\":\"$port\"" /run/work/one.log || refuse "$(cat /run/work/one.log)"
  until_true 20 said "\"event\":\"link-up\",\"port\":\"$port\"" /run/work/one.log || refuse "$(cat /run/work/one.log)"
done
(outside there "$(way 0 1)") || refuse "$(cat /run/work/one.log)"
outside exchange "$(way 0 1)" 6 3
nat_end one
wait "$nat" || refuse "$(cat /run/work/one.log)"
contains '"conserved":true' /run/work/one.log
