# A card tags and untags for its virtual functions, which show what it has set for them; an MTU beyond it is refused by name.
# seconds: 300
card_up
[[ $(cat "/sys/bus/pci/devices/$card/sriov_numvfs") == 0 ]] || rxnf vf remove "$card"
rxnf vf create "$card" 2 --mac "$(vf_mac 0),$(vf_mac 1)" --vlan 100
set_for_it="$(vf_mac 1), VLAN 100"
rxnf ports >/run/work/ports
contains "$set_for_it" /run/work/ports
rxnf doctor >/run/work/doctor || true
contains "$set_for_it" /run/work/doctor

vf_configuration wide 0 1 memory | sed 's/device: pci:/mtu: 9000, device: pci:/' >/run/work/wide.yaml
nat_run wide && refuse 'an instance ran with an MTU that the card does not have'
contains 'ports.inside.mtu: ' /run/work/wide.log
contains 'refused an MTU of 9000 (it has 1500)' /run/work/wide.log

nat_run_on_vfs one 0 1 memory &
nat=$!
until_ready one
outside vlan 100
outside there "$(way 0 1)"
outside exchange "$(way 0 1)" 6 4
outside vlan none
nat_end one
wait "$nat" || refuse "$(cat /run/work/one.log)"
contains '"conserved":true' /run/work/one.log
rxnf vf remove "$card"
