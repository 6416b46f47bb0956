"""What ``upbit-stream doctor`` looks at.

===============  =====================================================================
``check.py``     a finding: what it is about, how it is, what to do
``software.py``  Python, this package, what it is built on
``network.py``   proxies, the way to the exchange, its certificate, its clock
``machine.py``   memory, processors, descriptors
``settings.py``  variables of the environment, by name; the terminal
===============  =====================================================================
"""
