"""The network room: what a container's place in a network needs on the host, as tables, texts and kernel objects.

Rows and addresses (networks, addresses), bridge and firewall table (bridge, links, nftables), published ports (ports,
owners), and the files inside (files, linking). The links of a start itself are made by the shim.
"""
