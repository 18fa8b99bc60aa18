"""placeholder"""
import sys, importlib
for n in sys.argv[1:]:
    for l in importlib.import_module("bench."+n).measure(): print(l, flush=True)
