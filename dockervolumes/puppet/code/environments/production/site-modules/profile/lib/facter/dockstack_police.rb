# Whether the kernel can police traffic by its addresses, as Neutron's agent for routers limits floating addresses.
Facter.add(:dockstack_police) do
  confine { File.exist?('/usr/bin/neutron-l3-agent') }
  setcode do
    # In a network of its own, which goes with the command.
    filter = 'protocol ip u32 match u32 0 0 police rate 1mbit burst 10k drop flowid :1'
    limits = "tc qdisc add dev lo ingress && tc filter add dev lo parent ffff: #{filter} && " \
             "tc qdisc add dev lo root handle 1: htb && tc filter add dev lo parent 1: #{filter}"
    system('unshare', '--net', 'sh', '-c', limits, out: File::NULL, err: File::NULL) == true
  end
end
