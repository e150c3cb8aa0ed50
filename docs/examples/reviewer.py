"""Does the series of 2017 solve bug 172991? The reviewer's question, answered."""

import slabcore
from slabcore.report import verdict

answer = slabcore.compare("smythies", ["4.8", "4.10", "4.11"])
print(answer.table())
print()
for line in verdict(answer):
    print("*", line)
