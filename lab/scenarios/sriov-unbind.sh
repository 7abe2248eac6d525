# A virtual function that is unbound under traffic is let go of with a clear event; bound again, it serves again, in a VLAN of its own.
# seconds: 300
card_up
vfs_up
nat_run_on_vfs one 0 1 memory &
nat=$!
until_ready one
outside there "$(way 0 1)"
outside begin "$(way 0 1)" 6
function=$(vf_address 1)
echo "$function" >/sys/bus/pci/drivers/vfio-pci/unbind
until_true 10 said '"event":"gone","port":"outside"' /run/work/one.log || refuse "$(cat /run/work/one.log)"
nat_end one
wait "$nat" || refuse "$(cat /run/work/one.log)"
contains '"conserved":true' /run/work/one.log
outside end # no packet was wrong, though many were lost

echo "$function" >/sys/bus/pci/drivers_probe
vf_configuration again 0 1 memory | sed 's/device: pci:/vlan: 200, device: pci:/' >/run/work/again.yaml
nat_run again &
nat=$!
until_ready again
outside vlan 200
outside there "$(way 0 1)"
outside exchange "$(way 0 1)" 6 3
outside vlan none
nat_end again
wait "$nat" || refuse "$(cat /run/work/again.log)"
