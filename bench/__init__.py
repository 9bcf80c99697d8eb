"""What the README's performance table is made of: `python -m bench` measures the rows and prints the table.

What is measured is the Lambda handler in this process: API Gateway's event in, its answer out, with everything that
production does, over a stub of AWS (`bench.stub`) in a process of its own on the loopback. Beside it, block by block in
shuffled order, runs raw boto3 that does the same AWS work: milliseconds differ from machine to machine, ratios hardly.
"""
