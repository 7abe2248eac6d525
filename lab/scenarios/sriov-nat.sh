# A NAT between two virtual functions translates UDP, TCP and ICMP both ways, and accounts for every packet.
# seconds: 300
card_up
vfs_up
rxnf vf list >/run/work/functions
contains "$card): 4 of 7 virtual functions" /run/work/functions
contains "pci:$(vf_address 1)" /run/work/functions
contains "$(vf_mac 1)" /run/work/functions
rxnf doctor >/run/work/doctor || true
contains "NIC $card" /run/work/doctor
contains '4 of 7 virtual functions' /run/work/doctor
contains "NIC $(vf_address 0)" /run/work/doctor
rxnf ports >/run/work/ports
contains "pci:$(vf_address 0)" /run/work/ports
contains "pci:$(vf_address 1)" /run/work/ports

nat_run_on_vfs one 0 1 memory &
nat=$!
until_ready one
outside there "$(way 0 1)"
(rxnf vf remove "$card") >/run/work/refused 2>&1 && refuse 'functions in use were removed'
contains "process $(cat /run/work/one.pid)" /run/work/refused
outside exchange "$(way 0 1)" 9 12 >/run/work/report || refuse "$(cat /run/work/report)"
nat_end one
wait "$nat" || refuse "$(cat /run/work/one.log)"
node --conditions=source lab/tests/account.ts /run/work/one.log /run/work/report
