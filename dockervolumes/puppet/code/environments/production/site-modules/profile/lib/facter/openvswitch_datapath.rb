# The datapath for Open vSwitch's bridges: the kernel's where it has the module, else Open vSwitch's own.
Facter.add(:openvswitch_datapath) do
  setcode { File.exist?('/sys/module/openvswitch') ? 'system' : 'netdev' }
end
